"""How the modules import each other, imports for type checking included."""

from __future__ import annotations

import grimp


def test_no_module_is_imported_by_what_it_imports() -> None:
    graph = grimp.build_graph("training_hub", exclude_type_checking_imports=False, cache_dir=None)
    imported = {module: graph.find_upstream_modules(module) for module in graph.modules}
    circles = {module for module, others in imported.items() if any(module in imported[other] for other in others)}
    assert sorted(circles) == []
