"""Sphinx configuration; build with ``sphinx-build -W docs docs/_build/html``."""

import os
import shutil
from pathlib import Path

import sphinx_autosummary_accessors
from docutils.nodes import SkipNode
from latex2mathml.converter import convert

import xcluster

HERE = Path(__file__).parent

project = "xcluster"
author = "The xcluster developers"
copyright = author  # noqa: A001
version = release = xcluster.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_autosummary_accessors",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinxcontrib.mermaid",
]
templates_path = [sphinx_autosummary_accessors.templates_path]
exclude_patterns = ["_build"]

default_role = "py:obj"
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
# Figures belong into the pages, whatever backend the shell asks for.
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
nb_execution_mode = "cache"
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_merge_streams = True
# Progress bars and timings go to stderr.
nb_output_stderr = "remove"
html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_title = "xcluster"
html_static_path = ["_static"]
html_css_files = ["figures.css"]
html_show_sourcelink = False
# These pages have no siblings to list.
html_sidebars = {"choose": [], "coming_from": [], "scaling": []}
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}


def mathml(translator, node):
    """Write a formula as MathML, which browsers draw without scripts or a network."""
    display = "block" if node.tagname == "math_block" else "inline"
    translator.body.append(convert(node.astext(), display=display))
    raise SkipNode


def setup(app):
    """Bring the notebooks beside the pages, and draw formulas without a network."""
    shutil.copytree(
        HERE.parent / "notebooks",
        HERE / "notebooks",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(".ipynb_checkpoints", "*.py"),
    )
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
