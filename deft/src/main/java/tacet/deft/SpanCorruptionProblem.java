package tacet.deft;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Losses;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.transformer.Batch;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Tap;

/**
 * Span corruption (Raffel et al., JMLR 2020): about 15 % of the tokens, in spans of 3 on average, are
 * replaced by sentinels, one per span; the target is each sentinel followed by its span.
 *
 * @param train token sequences to learn from, without an end token
 * @param dev sequences to judge by; their spans are always the same
 * @param padId what fills the end of short sequences
 * @param end token after which nothing follows
 * @param firstSentinel the sentinel of the first span; those of later ones have smaller ids
 */
public record SpanCorruptionProblem(
    List<int[]> train, List<int[]> dev, int padId, int end, int firstSentinel)
    implements Problem<Seq2SeqModel> {
  private static final double CORRUPTED = 0.15;
  private static final double SPAN = 3;
  private static final int BATCH = 32;
  private static final int SENTINELS = 100;

  /** Copies the lists. */
  public SpanCorruptionProblem {
    train = List.copyOf(train);
    dev = List.copyOf(dev);
  }

  @Override
  public String name() {
    return "span-corruption";
  }

  @Override
  public int size() {
    return train.size();
  }

  @Override
  public int length(int example) {
    return train.get(example).length;
  }

  @Override
  public Load<Seq2SeqModel> load(int[] examples, long seed, long step) {
    List<Sequences.Item> items = new ArrayList<>();
    for (int e : examples) {
      items.add(corrupted(train.get(e), RandomStream.of(seed, "spans " + e, step)));
    }
    return whole(items);
  }

  private Sequences.Load whole(List<Sequences.Item> items) {
    int[] all = new int[items.size()];
    Arrays.setAll(all, i -> i);
    return new Sequences(items, padId).load(all);
  }

  /** Spans of random lengths at random places, never two in touch. */
  Sequences.Item corrupted(int[] tokens, RandomStream random) {
    int n = tokens.length;
    int noise = Math.max(1, (int) Math.round(CORRUPTED * n));
    int spans = Math.clamp(Math.round(noise / SPAN), 1, Math.min(SENTINELS, Math.max(1, n / 2)));
    int[] lengths = parts(Math.max(noise, spans), spans, random);
    int kept = n - Arrays.stream(lengths).sum();
    int[] gaps = parts(Math.max(kept, spans), spans, random); // before each span
    List<Integer> source = new ArrayList<>();
    List<Integer> target = new ArrayList<>();
    int at = 0;
    for (int i = 0; i < spans && at < n; i++) {
      for (int k = 0; k < gaps[i] && at < n; k++) {
        source.add(tokens[at++]);
      }
      if (at >= n) {
        break;
      }
      source.add(firstSentinel - i);
      target.add(firstSentinel - i);
      for (int k = 0; k < lengths[i] && at < n; k++) {
        target.add(tokens[at++]);
      }
    }
    while (at < n) {
      source.add(tokens[at++]);
    }
    source.add(end);
    target.add(end);
    return new Sequences.Item(
        source.stream().mapToInt(i -> i).toArray(), target.stream().mapToInt(i -> i).toArray());
  }

  /** Cuts a number into so many parts of at least 1, every way being equally likely. */
  private static int[] parts(int total, int count, RandomStream random) {
    int[] cuts = Arrays.copyOf(random.permutation(total - 1), count - 1);
    Arrays.sort(cuts);
    int[] parts = new int[count];
    int before = 0;
    for (int i = 0; i < count; i++) {
      int to = i == count - 1 ? total : cuts[i] + 1;
      parts[i] = to - before;
      before = to;
    }
    return parts;
  }

  private List<List<Sequences.Item>> devBatches(int examples) {
    List<List<Sequences.Item>> batches = new ArrayList<>();
    int n = Math.min(examples, dev.size());
    for (int from = 0; from < n; from += BATCH) {
      List<Sequences.Item> items = new ArrayList<>();
      for (int i = from; i < Math.min(n, from + BATCH); i++) {
        items.add(corrupted(dev.get(i), RandomStream.of(0, "dev spans", i)));
      }
      batches.add(items);
    }
    return batches;
  }

  @Override
  public Evaluator.Result evaluate(Engine engine, Seq2SeqModel model) {
    Seq2SeqModel tapped = Tap.onActivations(model);
    DensityMeter meter = new DensityMeter();
    double loss = 0;
    double weight = 0;
    long hits = 0;
    long start = System.nanoTime();
    for (List<Sequences.Item> items : devBatches(dev.size())) {
      Sequences.Load load = whole(items);
      Batch target = load.cut().target(tapped);
      try (Pass pass = Pass.inference(engine)) {
        meter.observe(pass, new Tokens(model.seen(load.cut().source()), target));
        Var logits = tapped.forward(pass, load.cut().source(), target).logits();
        double w = load.weight();
        loss += w * Losses.crossEntropy(pass, logits, load.cut().labels()).value().item();
        weight += w;
        hits += MaskedProblem.hits(logits.value(), load.cut().labels());
      }
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    Map<String, Double> metrics = new LinkedHashMap<>();
    metrics.put("accuracy", 100.0 * hits / weight);
    metrics.put("loss", loss / weight);
    return new Evaluator.Result(
        metrics,
        meter.density(layer -> !Tokens.inDecoder(layer)),
        meter.density(Tokens::inDecoder),
        seconds);
  }

  @Override
  public float[] outputs(Engine engine, Seq2SeqModel model, int examples, Watch watch) {
    Outputs all = new Outputs();
    for (List<Sequences.Item> items : devBatches(examples)) {
      Sequences.Load load = whole(items);
      Batch target = load.cut().target(model);
      try (Pass pass = Pass.inference(engine)) {
        watch.begins(pass, new Tokens(model.seen(load.cut().source()), target));
        all.add(model.forward(pass, load.cut().source(), target).logits().value());
      }
    }
    return all.values();
  }
}
