"""Patterns that are compiled at their first use."""

from __future__ import annotations

import copy
import gc
import importlib
import pkgutil
import re

import pytest

import detector
from detector.formats import patterns
from detector.formats.patterns import build_pattern


def test_it_does_what_the_compiled_pattern_does():
    lazy, compiled = build_pattern(r"(\d+)", re.ASCII), re.compile(r"(\d+)", re.ASCII)
    for _ in range(2):
        assert lazy.findall("a1b22") == compiled.findall("a1b22")
        assert lazy.sub("x", "a1b22") == compiled.sub("x", "a1b22")
    assert (lazy.pattern, lazy.flags) == (compiled.pattern, compiled.flags)
    assert copy.deepcopy(lazy).pattern == lazy.pattern


def test_nothing_is_compiled_before_its_first_use():
    lazy = build_pattern("(")
    with pytest.raises(re.error):
        lazy.search("")


def test_every_pattern_of_the_detector_compiles():
    for module in pkgutil.walk_packages(detector.__path__, "detector."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    lazy = [each for each in gc.get_objects() if type(each) is patterns._LazyPattern]
    assert len(lazy) > 150
    for each in lazy:
        re.compile(*each._source)
