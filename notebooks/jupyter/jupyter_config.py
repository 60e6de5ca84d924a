"""What the notebooks need of Jupyter's own programs, read by JupyterLab and nbconvert (JUPYTER_CONFIG_PATH).

Pages that are exported show their formulas without a network, as MathML, which every browser draws itself: nbconvert
else loads MathJax from the web when the page is opened. Their code is coloured as Go, everything that a cell prints is
one output, and numbers in tables do not break. And JupyterLab takes custom.css, which `make setup` puts where it looks for it.
"""

import re

from jinja2 import pass_context

c = get_config()  # noqa: F821, of traitlets
c.LabApp.custom_css = True


# Cells of tables that hold numbers alone, which must not break over two lines: "3 of 3", "−3.41 [−5.72, −1.10]".
NUMBERS = re.compile(r"(?<=>)[^<>a-zA-Z]*\d(?: of [^<>a-zA-Z]*)?(?=(?:</strong>)?</td>)|(?<=>)[^<>a-zA-Z]*\d[^<>a-zA-Z]*(?=(?:</strong>)?</td>)")


@pass_context
def markdown2html(context, source):
    """nbconvert's filter of this name, with formulas as MathML. One that cannot be converted stays as it is written."""
    from latex2mathml.converter import convert
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def math(self, body, display, otherwise):
            try:
                # \mathcal is a letter of its own in the MathML that browsers know.
                return convert(body, display=display).replace('<mi mathvariant="script">L</mi>', "<mi>&#x2112;</mi>")
            except Exception:
                return otherwise(body)

        def inline_math(self, body):
            return self.math(body, "inline", super().inline_math)

        def block_math(self, body):
            return self.math(body, "block", super().block_math)

    attachments = context.get("cell", {}).get("attachments", {})
    path = context.get("resources", {}).get("metadata", {}).get("path", "")
    page = MarkdownWithMath(renderer=Renderer(escape=False, attachments=attachments, path=path)).render(source)
    page = page.replace("<ns0:", "<").replace("</ns0:", "</")  # nbconvert puts names into XML's namespaces, in headings
    return NUMBERS.sub(lambda cell: cell[0].replace(" ±", "\u00a0±").replace("± ", "±\u00a0").replace(", ", ",\u00a0")
                       .replace(" of ", "\u00a0of\u00a0"), page)


def highlight_go(notebook, resources):
    """Names the lexer of Go in an executed notebook, for others that show it: GoNB leaves it out."""
    if notebook.metadata.get("kernelspec", {}).get("name") == "gonb":
        notebook.metadata.setdefault("language_info", {})["pygments_lexer"] = "go"
    return notebook, resources


c.Exporter.preprocessors = ["nbconvert.preprocessors.CoalesceStreamsPreprocessor", highlight_go]


def highlight_code(source, language=None, metadata=None):
    """nbconvert's filter of this name, for Go: of a notebook that JupyterLab has saved it would take Python's lexer."""
    from nbconvert.filters.highlight import Highlight2HTML

    return Highlight2HTML(pygments_lexer="go")(source, language, metadata)


c.HTMLExporter.filters = {"highlight_code": highlight_code, "markdown2html": markdown2html}
c.HTMLExporter.mathjax_url = ""
c.HTMLExporter.require_js_url = ""
