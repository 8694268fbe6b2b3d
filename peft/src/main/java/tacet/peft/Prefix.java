package tacet.peft;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Parameter;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Memory;
import tacet.transformer.Part;
import tacet.transformer.Surgery;

/**
 * Prefix tuning (Li and Liang, ACL 2021): learnt keys and values before those of the tokens, in every
 * attention layer. They are never padding, and positions of tokens are counted behind them.
 *
 * <p>All of them are one table [P, 2 · L · D], as in Hugging Face peft's files: layer l has its keys in
 * the columns from 2 l D on, its values in the D columns behind them.
 *
 * @param tokens P, virtual tokens; the paper has 60
 * @param semantics which layers of an encoder-decoder get which columns
 * @param modulesToSave parts trained whole and saved with the adapter, by name: a new head
 */
public record Prefix(int tokens, Semantics semantics, List<String> modulesToSave)
    implements PeftMethod {
  /** What a prefix is in an encoder-decoder; for other models there is no difference. */
  public enum Semantics {
    /**
     * As peft computes it: the table has 2 L columns of width D for L encoder layers, decoder layer i
     * takes column 4 i for the keys and 4 i + 1 for the values of its self-attention (mod 2 L);
     * encoder and cross-attention get nothing, and half of the columns is not used.
     */
    PEFT,
    /** As Li and Liang mean it: encoder layers, then self-attention and cross-attention of each decoder layer. */
    PAPER
  }

  /** What the paper uses. */
  public static final int STANDARD_TOKENS = 60;

  /** Checks the numbers. */
  public Prefix {
    if (tokens < 1) {
      throw new IllegalArgumentException("virtual tokens must be at least 1, got " + tokens);
    }
    modulesToSave = List.copyOf(modulesToSave);
  }

  @Override
  public String name() {
    return "prefix";
  }

  /** The frozen model with a prefix drawn from N(0, 1), as peft does. */
  @Override
  public <P extends Part> P applyTo(P model, long seed) {
    Plan plan = plan(model);
    Tensor table =
        RandomStream.of(seed, "prefix", 0)
            .normal(Shape.of(tokens, 2 * plan.layers * plan.width), 1);
    return install(model, table);
  }

  /**
   * Where the columns go.
   *
   * @param layers L, layers that the table has columns for
   * @param width D
   * @param heads H
   * @param columns first column of the keys and of the values by path of the memory
   */
  record Plan(int layers, int width, int heads, Map<String, int[]> columns) {}

  /**
   * The plan for a model.
   *
   * @throws IllegalArgumentException if it has no attention that can remember
   */
  Plan plan(Part model) {
    Map<String, Memory> sites = new LinkedHashMap<>();
    Surgery.replace(
        model,
        (path, part) -> {
          if (part instanceof Memory m) {
            sites.put(path, m);
          }
          return part;
        });
    if (sites.isEmpty()) {
      throw new IllegalArgumentException("the model has no attention that takes a prefix");
    }
    Memory first = sites.values().iterator().next();
    int d = first.width();
    List<String> paths = new ArrayList<>(sites.keySet());
    Map<String, int[]> columns = new LinkedHashMap<>();
    List<String> encoder = paths.stream().filter(p -> p.startsWith("encoder.block.")).toList();
    int layers = paths.size();
    if (encoder.isEmpty() || semantics == Semantics.PAPER) {
      for (int l = 0; l < layers; l++) {
        columns.put(paths.get(l), new int[] {2 * l * d, (2 * l + 1) * d});
      }
      return new Plan(layers, d, first.heads(), columns);
    }
    layers = encoder.size();
    int slices = 2 * layers;
    int i = 0;
    for (String path : paths) {
      if (path.startsWith("decoder.block.") && path.contains(".SelfAttention.")) {
        columns.put(path, new int[] {4 * i % slices * d, (4 * i + 1) % slices * d});
        i++;
      }
    }
    if (i > layers) {
      throw new IllegalArgumentException(
          "peft's prefix has columns for as many decoder layers as there are encoder layers, "
              + layers
              + ", and the model has "
              + i);
    }
    return new Plan(layers, d, first.heads(), columns);
  }

  <P extends Part> P install(P model, Tensor table) {
    Plan plan = plan(model);
    Parameter shared = Parameter.trainable(table);
    return Surgery.replace(
        Adapted.frozen(model, modulesToSave),
        (path, part) -> {
          int[] columns = plan.columns.get(path);
          return part instanceof Memory base && columns != null
              ? new PrefixMemory(base, shared, columns[0], columns[1])
              : part;
        });
  }
}
