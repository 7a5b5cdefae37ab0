from __future__ import annotations

import pytest
import yaml
from omegaconf import OmegaConf, grammar_parser

from training_hub.config import groups, omegaconf_speed

FILES = sorted(groups.CONF.rglob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(groups.CONF)))
def test_the_fast_loader_reads_what_omegaconf_reads(file):
    text = file.read_text()
    slow = yaml.load(text, Loader=omegaconf_speed._loader_of_omegaconf())
    assert repr(yaml.load(text, Loader=omegaconf_speed.loader())) == repr(slow)


@pytest.mark.parametrize(
    "value",
    ["1e-5", "1_000", "1.", ".5", "-.inf", "0x1f", "017", "on", "null", "~", "2024-01-01", "12:30", "'a'", '"\\u00e9"',
     "| \n  two\n  lines\n", "[1, {b: c}]", "${lr}", "é"],
)  # fmt: skip
def test_the_fast_loader_reads_a_value_as_omegaconf_does(value):
    text = f"a: {value}\n"
    slow = yaml.load(text, Loader=omegaconf_speed._loader_of_omegaconf())
    assert repr(yaml.load(text, Loader=omegaconf_speed.loader())) == repr(slow)


def test_the_fast_loader_refuses_a_key_that_is_there_twice():
    with pytest.raises(yaml.constructor.ConstructorError, match="found duplicate key a"):
        yaml.load("a: 1\na: 2\n", Loader=omegaconf_speed.loader())


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML came without libyaml")
def test_omegaconf_reads_yaml_with_libyaml():
    omegaconf_speed.speed_up()
    assert issubclass(omegaconf_speed._home.get_yaml_loader(), yaml.CSafeLoader)


def test_an_interpolation_is_parsed_once_and_resolving_does_not_change_its_tree():
    omegaconf_speed.speed_up()
    text = "${oc.env:NO_SUCH,'a ${b} \\${c}'} and ${d}"
    tree = omegaconf_speed._parsed_once(text)
    config = OmegaConf.create({"x": text, "b": 1, "d": "e"})
    assert [config.x, config.x] == ["a 1 ${c} and e"] * 2
    config.b = 2
    assert config.x == "a 2 ${c} and e"
    assert omegaconf_speed._parsed_once(text) is tree
    assert tree.toStringTree() == grammar_parser.parse(text).toStringTree()
