"""Many compositions that differ in a few values: each different choice of options is composed once."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from training_hub.config.compose import compose, implied
from training_hub.config.composition import Composition
from training_hub.config.groups import TOP_GROUPS
from training_hub.config.home import expand_home
from training_hub.config.refusals import composition_fault, refuse_nodes_without_settings
from training_hub.config.typed import is_group, parse, rewrite, typed_values
from training_hub.config.words import heed, is_word
from training_hub.errors import ConfigError

# What a config may ask Hydra about a job, beside the choices, differs from job to job.
_OF_THE_JOB = re.compile(r"\$\{hydra:(?!runtime\.choices\b)")


@dataclass
class Variants:
    """Composes as `compose` does: Hydra's composition of the choices is kept, and the values are put into a copy."""

    aliases: Mapping[str, str]
    config_dirs: Sequence[str] = ()

    def __post_init__(self) -> None:
        self._kept: dict[tuple[str, ...], Composition | None] = {}
        self._parsed: dict[str, Override] = {}
        self.kept: dict[str, str] = {}  # of all variants: see `Composition`

    def compose(self, overrides: Sequence[str]) -> Composition:
        """One variant. Raises ConfigError for what cannot be composed."""
        composition = self._composed(overrides)
        if further := implied(composition):
            composition = replace(self._composed([*overrides, *further]), overrides=tuple(overrides))
        self.kept |= composition.kept
        return composition

    def _composed(self, overrides: Sequence[str]) -> Composition:
        parsed = [self._parse(text) for text in overrides]
        values = [each for each in parsed if self._is_value(each)]
        kept = self._chosen(tuple(str(each.input_line) for each in parsed if not self._is_value(each)))
        if kept is None:
            return compose(overrides, self.aliases, self.config_dirs, sweep=True)
        typed = typed_values(parsed, TOP_GROUPS, self.aliases)
        cfg = pickle.loads(pickle.dumps(kept.cfg))  # a third of what copy.deepcopy takes
        try:
            ConfigLoaderImpl._apply_overrides_to_config([self._rewritten(each) for each in values], cfg)
        except HydraException as error:
            raise ConfigError(composition_fault(error)) from None
        refuse_nodes_without_settings(cfg, kept.sources)
        expand_home(cfg)
        heed(cfg, kept.said, typed)
        return replace(kept, cfg=cfg, overrides=tuple(overrides), typed=typed)

    def _chosen(self, choices: tuple[str, ...]) -> Composition | None:
        """What Hydra makes of the choices alone; None where it must compose every variant itself."""
        if choices not in self._kept:
            composition = compose(choices, self.aliases, self.config_dirs, sweep=True)
            per_job = _OF_THE_JOB.search(OmegaConf.to_yaml(composition.cfg))
            deleted = any(text.startswith("~") for text in choices)
            self._kept[choices] = None if per_job or deleted else composition
        return self._kept[choices]

    def _is_value(self, override: Override) -> bool:
        of_hydra = override.key_or_group.split(".")[0] == "hydra"
        is_choice = is_group(override, TOP_GROUPS) or is_word(override.key_or_group)
        return not (is_choice or override.is_delete() or of_hydra or override.package)

    def _parse(self, text: str) -> Override:
        if text not in self._parsed:
            self._parsed[text] = parse(text)
        return self._parsed[text]

    def _rewritten(self, override: Override) -> Override:
        text = rewrite(override, TOP_GROUPS, self.aliases)
        if text not in self._parsed:
            self._parsed[text] = OverridesParser.create().parse_override(text)
        return self._parsed[text]
