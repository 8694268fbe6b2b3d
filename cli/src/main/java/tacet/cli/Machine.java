package tacet.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import tacet.tensor.Engine;
import tacet.tensor.measure.Host;

/** What reports say of the machine and of this program. */
final class Machine {
  private Machine() {}

  /** The version of Tacet. */
  static String version() {
    String v = Main.class.getPackage().getImplementationVersion();
    return v == null ? "0.1.0" : v;
  }

  /** Processor, cores, memory, Java, kernels, and the version of Tacet. */
  static Map<String, String> facts(Engine engine) {
    Map<String, String> facts = new LinkedHashMap<>(Host.facts(engine));
    facts.put("Tacet", version());
    return facts;
  }
}
