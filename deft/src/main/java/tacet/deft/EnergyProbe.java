package tacet.deft;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.hardware.Count;
import tacet.hardware.EnergyEstimate;
import tacet.hardware.EnergyMeter;
import tacet.hardware.EnergyScope;
import tacet.hardware.LeafCall.Site;
import tacet.tensor.Engine;
import tacet.transformer.Activation;
import tacet.transformer.Batch;
import tacet.transformer.Embedding;
import tacet.transformer.Layer;
import tacet.transformer.LayerNorm;
import tacet.transformer.Linear;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.model.Bert;

/**
 * Feeds the energy model of {@code tacet.hardware} from real forward passes of an encoder: surgery
 * puts a probe around every leaf, and each call's elements and non-zeros are counted, as forward
 * hooks on the leaf modules of the Hugging Face model would count them (eager attention, so the
 * dropout of attention probabilities counts; its zeros are those of padded keys).
 *
 * <p>The numbers are simulated energy of a zero-skipping accelerator, not measurements.
 */
public final class EnergyProbe {
  private static final float THRESHOLD = 0x1p-126f; // the energy model's zero in 32 bits
  private static final int BATCH = 64;

  /** A leaf with a probe around it. */
  private record Leaf(String path, Layer inner) implements Layer {
    @Override
    public Var forward(Pass pass, Var x) {
      pass.observe("in:" + path, x);
      Var y = inner.forward(pass, x);
      pass.observe("out:" + path, y);
      return y;
    }

    @Override
    public Leaf rebuild(Surgery s) {
      return new Leaf(path, s.through(inner));
    }
  }

  private final EnergyMeter meter = new EnergyMeter(EnergyMeter.Dialect.CINOFIX);
  private final Map<String, Layer> leaves = new LinkedHashMap<>();
  private final Map<String, Embedding> tables = new LinkedHashMap<>();
  private final Map<String, Count> weights = new HashMap<>();
  private final Map<String, Count> inputs = new HashMap<>();
  private Bert.Positions positions;
  private int heads;
  private int remembered;

  private EnergyProbe() {}

  /**
   * The energy ratio of a model on a data set, in batches of 64 padded to their longest sentence.
   *
   * @param model an encoder with merged adapters
   * @param scope which leaves count
   */
  public static EnergyEstimate measure(
      Engine engine, TextModel model, Dataset data, EnergyScope scope) {
    return meter(engine, model, data.sortedBatches(BATCH)).estimate(EnergyMeter.Options.of(scope));
  }

  /**
   * A meter that has seen all leaf calls of a model on these batches, to be read in any scope.
   *
   * @param model an encoder with merged adapters
   * @throws IllegalArgumentException if it is neither a BERT nor a RoBERTa
   */
  public static EnergyMeter meter(Engine engine, TextModel model, List<Dataset.Cut> batches) {
    EnergyProbe probe = new EnergyProbe();
    TextModel probed = Surgery.replace(model, probe::wrap);
    if (probe.heads == 0) { // of others, leaves would be passed over without a word
      throw new IllegalArgumentException(
          "the energy ratio counts the modules of a BERT or RoBERTa; this model is neither");
    }
    for (Dataset.Cut cut : batches) {
      try (Pass pass = Pass.inference(engine)) {
        Batch batch = model.seen(cut.batch());
        probe.begin(batch);
        pass.setObserver((name, value) -> probe.see(batch, name, value));
        probed.forward(pass, cut.batch());
      }
      probe.meter.endBatch();
    }
    return probe.meter;
  }

  private Part wrap(String path, Part part) {
    if (part instanceof Linear || part instanceof LayerNorm || part instanceof Activation) {
      leaves.put(path, (Layer) part);
      return new Leaf(path, (Layer) part);
    }
    if (part instanceof Embedding e) {
      tables.put(path, e);
    }
    if (part instanceof Bert.Embeddings e) {
      positions = e.positions();
    }
    if (part instanceof Bert.SelfAttention a) {
      heads = a.heads();
      remembered = a.memory().length();
    }
    return part;
  }

  /** The embeddings: looked up by ids, which no layer sees. */
  private void begin(Batch batch) {
    tables.forEach(
        (path, e) -> {
          int[] ids = batch.ids();
          if (path.endsWith("token_type_embeddings")) {
            ids = batch.typeIds();
          } else if (path.endsWith("position_embeddings")) {
            ids = positions.of(batch, remembered);
          }
          int d = e.weight().shape().last();
          float[] rows = new float[ids.length * d];
          for (int i = 0; i < ids.length; i++) {
            e.weight().source().read(ids[i] * d, rows, i * d, d);
          }
          float[] inputs = new float[ids.length]; // an id of 0 is a zero, as in the original
          for (int i = 0; i < ids.length; i++) {
            inputs[i] = ids[i];
          }
          Count output = count(batch, rows, d);
          meter.embedding(path, count(batch, inputs, 1), output, weight(path, e.weight()));
        });
  }

  private void see(Batch batch, String name, Var value) {
    String path = name.substring(name.indexOf(':') + 1);
    Count count = count(batch, value.value().data(), value.shape().last(), value.shape().rank());
    if (name.startsWith("in:")) {
      inputs.put(path, count);
      return;
    }
    Count input = inputs.remove(path);
    Site site = site(path);
    Layer leaf = leaves.get(path);
    if (leaf instanceof Linear l) {
      Count bias = l.bias() == null ? Count.NONE : weight(path + ".bias", l.bias());
      meter.linear(path, site, input, l.in(), count, weight(path + ".weight", l.weight()), bias);
      if (path.endsWith("self.value")) {
        Count p = probabilities(batch);
        meter.dropout(parent(path) + ".dropout", Site.ATTENTION_PROBABILITIES, p, p);
      } else if (path.endsWith("output.dense")) {
        meter.dropout(parent(path) + ".dropout", Site.OTHER, count, count);
      }
    } else if (leaf instanceof LayerNorm n) {
      Count p = weight(path + ".weight", n.weight()).plus(weight(path + ".bias", n.bias()));
      meter.norm(path, input, count, p);
      if (path.endsWith("embeddings.LayerNorm")) {
        meter.dropout(parent(path) + ".dropout", Site.OTHER, count, count);
      }
    } else {
      meter.activation(path, Site.MLP_ACTIVATION, input, count);
    }
  }

  private static String parent(String path) {
    return path.substring(0, path.lastIndexOf('.'));
  }

  private static Site site(String path) {
    if (path.endsWith("self.query") || path.endsWith("self.key") || path.endsWith("self.value")) {
      return Site.ATTENTION_QKV;
    }
    if (path.endsWith("attention.output.dense")) {
      return Site.ATTENTION_OUTPUT;
    }
    if (path.endsWith("intermediate.dense")) {
      return Site.MLP_IN;
    }
    return path.endsWith("output.dense") ? Site.MLP_OUT : Site.OTHER;
  }

  /** [B, H, S, S] probabilities: exactly zero where the key is padding. */
  private Count probabilities(Batch batch) {
    double s = batch.length();
    double all = heads * s * s * batch.size();
    double nonZero = 0;
    double valid = 0;
    for (int v : batch.lengths()) {
      nonZero += heads * s * v;
      valid += (double) heads * v * v;
    }
    return Count.of(all, nonZero).withPadding(all - valid, nonZero - valid);
  }

  /** Counts of a parameter, made once. */
  private Count weight(String name, Parameter p) {
    return weights.computeIfAbsent(
        name, n -> Count.of(p.source().toArray(), 0, p.shape().size(), THRESHOLD));
  }

  private static Count count(Batch batch, float[] values, int width) {
    return count(batch, values, width, 3);
  }

  /** Counts of a value: per token [B, S, width], with its padding apart; or per example [B, width]. */
  private static Count count(Batch batch, float[] values, int width, int rank) {
    if (rank < 3) {
      return Count.of(values, 0, batch.size() * width, THRESHOLD);
    }
    return Count.ofBatch(values, 0, batch.length(), width, batch.lengths(), THRESHOLD);
  }
}
