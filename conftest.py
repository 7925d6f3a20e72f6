"""Loads the plugins that every test runs under (pytest lets only the topmost conftest do so)."""

pytest_plugins = ["tests.plugins.network", "tests.plugins.profiles"]
