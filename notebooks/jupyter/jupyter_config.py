"""What the notebooks need of Jupyter's own programs, read by JupyterLab and nbconvert (JUPYTER_CONFIG_PATH).

Pages that are exported show their formulas without a network, as MathML, which every browser draws itself: nbconvert
else loads MathJax from the web when the page is opened. And JupyterLab takes custom.css, which `make setup` puts
where it looks for it.
"""

from jinja2 import pass_context

c = get_config()  # noqa: F821, of traitlets
c.LabApp.custom_css = True


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
    return MarkdownWithMath(renderer=Renderer(escape=False, attachments=attachments, path=path)).render(source)


c.HTMLExporter.filters = {"markdown2html": markdown2html}
c.HTMLExporter.mathjax_url = ""
c.HTMLExporter.require_js_url = ""
