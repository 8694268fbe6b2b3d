package tacet.deft;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.IntPredicate;
import tacet.autograd.Losses;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;

/**
 * Masked language modelling (Devlin et al., NAACL 2019): 15 % of the tokens are to be guessed; of these,
 * 80 % are replaced by the mask token, 10 % by a random one, 10 % stay.
 *
 * @param train texts to learn from
 * @param dev texts to judge by; their masks are always the same
 * @param maskId the mask token
 * @param vocabulary number of tokens
 * @param special which tokens are never chosen
 */
public record MaskedProblem(
    Dataset train, Dataset dev, int maskId, int vocabulary, IntPredicate special)
    implements Problem<TextModel> {
  private static final double CHOSEN = 0.15;
  private static final int BATCH = 32;

  private record Masked(Batch batch, int[] labels) implements Load<TextModel> {
    @Override
    public Tokens tokens(TextModel model) {
      return Tokens.of(model.seen(batch));
    }

    @Override
    public double weight() {
      return Arrays.stream(labels).filter(l -> l != Losses.IGNORED).count();
    }

    @Override
    public Var loss(Pass pass, TextModel model) {
      return Losses.crossEntropy(pass, model.forward(pass, batch).logits(), labels);
    }
  }

  @Override
  public String name() {
    return "masked-language-modelling";
  }

  @Override
  public int size() {
    return train.size();
  }

  @Override
  public int length(int example) {
    return train.items().get(example).ids().length;
  }

  @Override
  public Load<TextModel> load(int[] examples, long seed, long step) {
    RandomStream random = RandomStream.of(seed, "mask " + examples[0], step);
    return masked(train.cut(examples).batch(), random);
  }

  /** At least one token is chosen. */
  private Masked masked(Batch batch, RandomStream random) {
    int[] ids = batch.ids().clone();
    int[] labels = new int[ids.length];
    Arrays.fill(labels, Losses.IGNORED);
    boolean any = false;
    while (!any) {
      for (int i = 0; i < ids.length; i++) {
        boolean eligible = batch.mask()[i] != 0 && !special.test(batch.ids()[i]);
        if (!eligible || random.nextDouble() >= CHOSEN) {
          continue;
        }
        any = true;
        labels[i] = batch.ids()[i];
        double how = random.nextDouble();
        ids[i] = how < 0.8 ? maskId : how < 0.9 ? random.nextInt(vocabulary) : ids[i];
      }
      any |= Arrays.stream(batch.ids()).allMatch(special::test);
    }
    if (Arrays.stream(labels).allMatch(l -> l == Losses.IGNORED)) {
      labels[0] = ids[0]; // nothing but special tokens: something has to be guessed
    }
    Batch shown = new Batch(batch.size(), batch.length(), ids, batch.typeIds(), batch.mask());
    return new Masked(shown, labels);
  }

  @Override
  public Evaluator.Result evaluate(Engine engine, TextModel model) {
    TextModel tapped = Tap.onActivations(model);
    DensityMeter meter = new DensityMeter();
    double loss = 0;
    double weight = 0;
    long hits = 0;
    long start = System.nanoTime();
    int number = 0;
    for (Dataset.Cut cut : dev.sortedBatches(BATCH)) {
      Masked masked = masked(cut.batch(), RandomStream.of(0, "dev masks", number++));
      try (Pass pass = Pass.inference(engine)) {
        meter.observe(pass, tapped.seen(masked.batch));
        Var logits = tapped.forward(pass, masked.batch).logits();
        double w = masked.weight();
        loss += w * Losses.crossEntropy(pass, logits, masked.labels).value().item();
        weight += w;
        hits += hits(logits.value(), masked.labels);
      }
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    Map<String, Double> metrics = new LinkedHashMap<>();
    metrics.put("accuracy", 100.0 * hits / weight);
    metrics.put("loss", loss / weight);
    return new Evaluator.Result(metrics, meter.density(), null, seconds);
  }

  /** How many labels have the largest logit. */
  static long hits(Tensor logits, int[] labels) {
    long hits = 0;
    for (int i = 0; i < labels.length; i++) {
      hits += labels[i] != Losses.IGNORED && Evaluator.largest(logits, i) == labels[i] ? 1 : 0;
    }
    return hits;
  }

  @Override
  public float[] outputs(Engine engine, TextModel model, int examples, Watch watch) {
    return Outputs.of(engine, model, dev.first(examples), watch);
  }
}
