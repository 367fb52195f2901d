"""The tools by name, each imported only in the process that runs it."""

from importlib import import_module
from typing import Final

from benchmarks.inference.tools.base import Tool

HERE: Final = "benchmarks.inference.tools"

TOOLS: Final[dict[str, tuple[str, str]]] = {
    "softseg_sample": ("softseg_fit", "SoftsegSample"),
    "softseg_fit": ("softseg_fit", "SoftsegFit"),
    "numpyro": ("numpyro_nuts", "NumpyroNuts"),
    "blackjax": ("blackjax_nuts", "BlackjaxNuts"),
    "pymc_nutpie": ("pymc_nuts", "PymcNutpie"),
    "pymc": ("pymc_nuts", "PymcOwn"),
    "sklearn": ("sklearn_mixture", "SklearnMixture"),
    "stepmix": ("stepmix_bootstrap", "StepmixBootstrap"),
}


def tool(name: str) -> Tool:
    """Return a tool, its packages imported."""
    module, cls = TOOLS[name]
    return getattr(import_module(f"{HERE}.{module}"), cls)()
