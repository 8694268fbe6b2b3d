package tacet.deft.report;

/** Writes the elements of an SVG. Text is escaped; a coordinate that is no number is refused. */
final class Svg {
  private final StringBuilder out = new StringBuilder();

  Svg(double width, double height, String title) {
    out.append("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\"");
    attribute("viewBox", "0 0 " + Markup.coordinate(width) + " " + Markup.coordinate(height));
    attribute("aria-label", title);
    out.append(">\n");
  }

  void line(String style, double x1, double y1, double x2, double y2) {
    out.append("<line");
    attribute("class", style);
    attribute("x1", x1);
    attribute("y1", y1);
    attribute("x2", x2);
    attribute("y2", y2);
    out.append("/>\n");
  }

  void text(String style, double x, double y, String anchor, String text) {
    out.append("<text");
    if (!style.isEmpty()) {
      attribute("class", style);
    }
    attribute("x", x);
    attribute("y", y);
    if (!anchor.equals("start")) {
      attribute("text-anchor", anchor);
    }
    out.append('>').append(Markup.escape(text)).append("</text>\n");
  }

  /** {@code tip} is shown under the pointer; null for none. */
  void rect(
      String style,
      double x,
      double y,
      double width,
      double height,
      double radius,
      double opacity,
      String tip) {
    out.append("<rect");
    attribute("class", style);
    attribute("x", x);
    attribute("y", y);
    attribute("width", Math.max(0, width));
    attribute("height", Math.max(0, height));
    if (radius > 0) {
      attribute("rx", radius);
    }
    if (opacity < 1) {
      attribute("fill-opacity", opacity);
    }
    end("rect", tip);
  }

  void path(String style, String d, String dashes) {
    path(style, d, dashes, null);
  }

  void path(String style, String d, String dashes, String tip) {
    out.append("<path");
    attribute("class", style);
    attribute("d", d);
    if (!dashes.isEmpty()) {
      attribute("stroke-dasharray", dashes);
    }
    end("path", tip);
  }

  String end() {
    return out.append("</svg>\n").toString();
  }

  private void end(String element, String tip) {
    if (tip == null) {
      out.append("/>\n");
    } else {
      out.append("><title>").append(Markup.escape(tip)).append("</title></").append(element);
      out.append(">\n");
    }
  }

  private void attribute(String name, double value) {
    attribute(name, Markup.coordinate(value));
  }

  private void attribute(String name, String value) {
    out.append(' ').append(name).append("=\"").append(Markup.escape(value)).append('"');
  }
}
