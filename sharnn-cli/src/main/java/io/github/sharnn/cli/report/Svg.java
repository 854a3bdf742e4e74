package io.github.sharnn.cli.report;

import static com.google.common.base.Strings.lenientFormat;

import java.awt.Dimension;
import java.io.StringWriter;
import java.util.Locale;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.apache.batik.svggen.SVGGeneratorContext;
import org.apache.batik.svggen.SVGGraphics2D;
import org.apache.batik.svggen.SVGIDGenerator;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.AxesChartStyler;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Charts as SVG text. */
public final class Svg {

  private Svg() {}

  /** Draws a chart. The prefix of the SVG's ids must be unique within a page. */
  public static String of(Chart<?, ?> chart, String prefix) {
    try {
      Document document =
          DocumentBuilderFactory.newInstance()
              .newDocumentBuilder()
              .getDOMImplementation()
              .createDocument("http://www.w3.org/2000/svg", "svg", null);
      SVGGeneratorContext context = SVGGeneratorContext.createDefault(document);
      context.setComment(null);
      context.setIDGenerator(
          new SVGIDGenerator() {
            @Override
            public String generateID(String part) {
              return prefix + "-" + super.generateID(part);
            }
          });
      SVGGraphics2D graphics = new SVGGraphics2D(context, false);
      if (chart.getStyler() instanceof AxesChartStyler axes) {
        axes.setLocale(Locale.ROOT); // XChart labels axes in the default locale
      }
      graphics.setSVGCanvasSize(new Dimension(chart.getWidth(), chart.getHeight()));
      chart.paint(graphics, chart.getWidth(), chart.getHeight());
      Element root = graphics.getRoot();
      NodeList definitions = root.getElementsByTagName("defs");
      for (int i = 0; i < definitions.getLength(); i++) { // Batik names one of them itself
        ((Element) definitions.item(i)).setAttribute("id", prefix + "-definitions" + i);
      }
      // letters are shapes here, so screen readers need a label
      root.setAttribute("role", "img");
      root.setAttribute("aria-label", ReportPage.visible(label(chart))); // else XML rejects names
      root.setAttribute("viewBox", lenientFormat("0 0 %s %s", chart.getWidth(), chart.getHeight()));
      Transformer transformer = TransformerFactory.newInstance().newTransformer();
      transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
      StringWriter text = new StringWriter();
      transformer.transform(new DOMSource(root), new StreamResult(text));
      return text.toString();
    } catch (ParserConfigurationException | TransformerException e) {
      throw new IllegalStateException("this Java can't write XML", e);
    }
  }

  private static String label(Chart<?, ?> chart) {
    return lenientFormat(
        "%s, %s by %s: %s",
        chart.getTitle(),
        chart.getYAxisTitle(),
        chart.getXAxisTitle(),
        String.join("; ", chart.getSeriesMap().keySet()));
  }
}
