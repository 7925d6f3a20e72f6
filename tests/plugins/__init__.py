"""Pytest plugins that all tests run under: no network but this machine's own, and one set of Hypothesis profiles."""
