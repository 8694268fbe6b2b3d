package tacet.hardware.arch;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.TreeMap;

/**
 * Prices of events in picojoule, read from a properties file. Every number stands beside a {@code .source} key that
 * says where it is from; a table without one is refused. Register, SRAM and DRAM prices are per 32 bits and scale with
 * the width; a multiply-accumulate has one price per width.
 */
public final class EnergyTable {

  private static final int[] WIDTHS = {8, 16, 32};

  private final String name;
  private final double[] mac = new double[WIDTHS.length];
  private final TreeMap<Long, Double> sram = new TreeMap<>();
  private final double gated;
  private final double register;
  private final double dram;
  private final double encoder;
  private final double leakage;

  private EnergyTable(String name, Properties p) {
    this.name = name;
    for (int i = 0; i < WIDTHS.length; i++) {
      mac[i] = price(p, "mac." + WIDTHS[i]);
    }
    for (String key : p.stringPropertyNames()) {
      if (key.matches("sram\\.\\d+")) {
        sram.put(Long.parseLong(key.substring("sram.".length())), price(p, key));
      }
    }
    if (sram.isEmpty()) {
      throw new IllegalArgumentException("energy table " + name + ": no sram.BYTES price");
    }
    gated = price(p, "gated");
    register = price(p, "register");
    dram = price(p, "dram");
    encoder = price(p, "encoder");
    leakage = price(p, "leakage");
  }

  /** Horowitz, ISSCC 2014, 45 nm, with a 640 pJ DRAM word. */
  public static EnergyTable horowitz45() {
    return builtIn("horowitz45");
  }

  /** The sponge model's prices: DRAM and multiplications only. */
  public static EnergyTable sponge() {
    return builtIn("sponge");
  }

  /** Accelergy's 45 nm reference tables of an Eyeriss-like design. */
  public static EnergyTable accelergy45() {
    return builtIn("accelergy45");
  }

  /**
   * Reads a table.
   *
   * @param name for reports
   * @throws IllegalArgumentException if a number or its source is missing or wrong; the message names the key
   * @throws IOException if reading fails
   */
  public static EnergyTable read(String name, Reader properties) throws IOException {
    Properties p = new Properties();
    p.load(properties);
    return new EnergyTable(name, p);
  }

  private static EnergyTable builtIn(String name) {
    try (InputStream in = EnergyTable.class.getResourceAsStream(name + ".properties")) {
      return read(name, new InputStreamReader(in, StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException("energy table " + name + " cannot be read", e);
    }
  }

  private static double price(Properties p, String key) {
    String text = p.getProperty(key);
    String source = p.getProperty(key + ".source", "").strip();
    if (text == null || source.isEmpty()) {
      throw new IllegalArgumentException(
          "energy table: " + (text == null ? key : key + ".source") + " is missing");
    }
    double price;
    try {
      price = Double.parseDouble(text.strip());
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "energy table: " + key + " must be a number, not '" + text + "'", e);
    }
    if (!(price >= 0 && price < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("energy table: " + key + " must not be " + text);
    }
    return price;
  }

  /** The table's name. */
  public String name() {
    return name;
  }

  /**
   * One multiply-accumulate.
   *
   * @throws IllegalArgumentException if {@code bits} is not 8, 16 or 32
   */
  public double mac(int bits) {
    for (int i = 0; i < WIDTHS.length; i++) {
      if (WIDTHS[i] == bits) {
        return mac[i];
      }
    }
    throw new IllegalArgumentException("data must have 8, 16 or 32 bits, not " + bits);
  }

  /** One multiply-accumulate whose operands are held still. */
  public double gatedMac(int bits) {
    return mac(bits) * gated;
  }

  /** Access to {@code bits} of a register or scratch pad. */
  public double register(double bits) {
    return register * bits / 32;
  }

  /** Access to {@code bits} of an SRAM of {@code bytes}: the price of the next larger one listed, else the largest. */
  public double sram(long bytes, double bits) {
    var entry = sram.ceilingEntry(bytes);
    return (entry == null ? sram.lastEntry() : entry).getValue() * bits / 32;
  }

  /** Transfer of {@code bits} from or to DRAM. */
  public double dram(double bits) {
    return dram * bits / 32;
  }

  /** Compression of one result. */
  public double encoder() {
    return encoder;
  }

  /** The whole chip, per cycle, working or not. */
  public double leakage() {
    return leakage;
  }
}
