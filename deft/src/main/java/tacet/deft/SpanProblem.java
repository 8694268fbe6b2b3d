package tacet.deft;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Losses;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.report.Density;
import tacet.deft.task.Squad;
import tacet.tensor.Engine;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.text.Encoding;
import tacet.transformer.text.Tokenizer;
import tacet.transformer.text.Truncation;

/**
 * Extractive question answering with an encoder: where in the paragraph does the answer start, and
 * where does it end? Long paragraphs are read in windows that overlap; a window without the answer is
 * taught to point to its first token. A question's answer is the best span of all its windows.
 */
public final class SpanProblem implements Problem<TextModel> {
  /**
   * How paragraphs are cut and answers searched, as in the usual scripts.
   *
   * @param maxLength tokens of a window, question and special tokens included
   * @param stride tokens that a window repeats from the one before
   * @param longestAnswer tokens
   */
  public record Windows(int maxLength, int stride, int longestAnswer) {
    /** Windows of up to 384 tokens that overlap by 128, answers of up to 30. */
    public static final Windows STANDARD = new Windows(384, 128, 30);
  }

  private static final int BATCH = 32;

  /** One window: its tokens, and the answer's first and last token in it (0 for none). */
  private record Feature(int question, Encoding encoding, int start, int end) {}

  private final String name;
  private final Windows windows;
  private final List<Feature> train;
  private final Dataset trainTokens;
  private final List<Squad.Question> dev;
  private final List<Feature> devFeatures;
  private final Dataset devTokens;

  /**
   * Cuts questions and paragraphs into windows.
   *
   * @param train questions to learn from, the first reference answer of each
   * @param dev questions to judge by
   * @param padId the model's padding token
   */
  public SpanProblem(
      String name,
      List<Squad.Question> train,
      List<Squad.Question> dev,
      Tokenizer tokenizer,
      int padId,
      Windows windows) {
    this.name = name;
    this.windows = windows;
    this.dev = List.copyOf(dev);
    this.train = features(train, tokenizer, windows);
    this.trainTokens = tokens(this.train, padId);
    this.devFeatures = features(dev, tokenizer, windows);
    this.devTokens = tokens(devFeatures, padId);
  }

  private static List<Feature> features(
      List<Squad.Question> questions, Tokenizer tokenizer, Windows windows) {
    List<Feature> features = new ArrayList<>();
    for (int q = 0; q < questions.size(); q++) {
      Squad.Question question = questions.get(q);
      Squad.Answer answer = question.answers().get(0);
      int from = answer.start();
      int to = from + answer.text().length();
      for (Encoding e : encodings(question, tokenizer, windows)) {
        int start = -1;
        int end = -1;
        for (int t = 0; t < e.length(); t++) {
          boolean inside = e.sequences()[t] == 1 && e.ends()[t] > from && e.starts()[t] < to;
          if (inside) {
            start = start < 0 ? t : start;
            end = t;
          }
        }
        boolean whole = start >= 0 && e.starts()[start] <= from && e.ends()[end] >= to;
        features.add(new Feature(q, e, whole ? start : 0, whole ? end : 0));
      }
    }
    return features;
  }

  /** The windows of one question; a question that leaves no room for the paragraph is shortened. */
  private static List<Encoding> encodings(Squad.Question q, Tokenizer tokenizer, Windows windows) {
    int room = windows.maxLength / 2;
    String question = q.question();
    Encoding alone = tokenizer.encode(question);
    if (alone.length() > room) {
      question = question.substring(0, Math.max(1, alone.ends()[room - 2]));
    }
    return tokenizer.windows(
        question,
        q.context(),
        new Truncation(
            windows.maxLength,
            Truncation.Strategy.ONLY_SECOND,
            Math.min(windows.stride, windows.maxLength / 4),
            Truncation.Side.RIGHT),
        true);
  }

  private static Dataset tokens(List<Feature> features, int padId) {
    return new Dataset(
        features.stream()
            .map(f -> new Dataset.Item(f.encoding.ids(), f.encoding.typeIds(), 0))
            .toList(),
        padId);
  }

  private record Spans(Dataset.Cut cut, int[] starts, int[] ends) implements Load<TextModel> {
    @Override
    public Tokens tokens(TextModel model) {
      return Tokens.of(model.seen(cut.batch()));
    }

    @Override
    public double weight() {
      return starts.length;
    }

    @Override
    public Var loss(Pass pass, TextModel model) {
      return Losses.span(pass, model.forward(pass, cut.batch()).logits(), starts, ends);
    }

    @Override
    public void run(Pass pass, TextModel model) {
      model.forward(pass, cut.batch());
    }
  }

  @Override
  public String name() {
    return name;
  }

  /** Number of windows, which is what a step counts. */
  @Override
  public int size() {
    return train.size();
  }

  @Override
  public int length(int example) {
    return train.get(example).encoding.length();
  }

  @Override
  public Load<TextModel> load(int[] examples, long seed, long step) {
    int[] starts = new int[examples.length];
    int[] ends = new int[examples.length];
    for (int i = 0; i < examples.length; i++) {
      starts[i] = train.get(examples[i]).start;
      ends[i] = train.get(examples[i]).end;
    }
    return new Spans(trainTokens.cut(examples), starts, ends);
  }

  // ------------------------------------------------------------------ judging

  private record Best(double score, String text) {}

  @Override
  public Evaluator.Result evaluate(Engine engine, TextModel model) {
    TextModel tapped = Tap.onActivations(model);
    DensityMeter meter = new DensityMeter();
    Map<String, Best> best = new HashMap<>();
    long start = System.nanoTime();
    for (Dataset.Cut cut : devTokens.sortedBatches(BATCH)) {
      try (Pass pass = Pass.inference(engine)) {
        meter.observe(pass, tapped.seen(cut.batch()));
        float[] logits = tapped.forward(pass, cut.batch()).logits().value().data(); // [B, S, 2]
        for (int b = 0; b < cut.numbers().length; b++) {
          Feature f = devFeatures.get(cut.numbers()[b]);
          Squad.Question q = dev.get(f.question);
          Best found = best(f, q, logits, 2 * b * cut.batch().length());
          best.merge(q.id(), found, (x, y) -> y.score > x.score ? y : x);
        }
      }
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    Map<String, String> answers = new HashMap<>();
    best.forEach((id, b) -> answers.put(id, b.text));
    Density density = meter.density();
    return new Evaluator.Result(scores(dev, answers), density, null, seconds);
  }

  @Override
  public float[] outputs(Engine engine, TextModel model, int examples, Watch watch) {
    return Outputs.of(engine, model, devTokens.first(examples), watch);
  }

  /** F1, the primary metric, and exact match, in percent. */
  static Map<String, Double> scores(List<Squad.Question> dev, Map<String, String> answers) {
    Squad.Scores scores = Squad.score(dev, answers);
    Map<String, Double> metrics = new LinkedHashMap<>();
    metrics.put("f1", scores.f1());
    metrics.put("exact_match", scores.exactMatch());
    return metrics;
  }

  /** The span of the paragraph with the largest sum of both logits; the first of equals. */
  private Best best(Feature f, Squad.Question q, float[] logits, int at) {
    Encoding e = f.encoding;
    double score = Double.NEGATIVE_INFINITY;
    int from = 0;
    int to = 0;
    for (int s = 0; s < e.length(); s++) {
      if (e.sequences()[s] != 1) {
        continue;
      }
      int last = Math.min(e.length(), s + windows.longestAnswer);
      for (int t = s; t < last && e.sequences()[t] == 1; t++) {
        double sum = (double) logits[at + 2 * s] + logits[at + 2 * t + 1];
        if (sum > score) {
          score = sum;
          from = e.starts()[s];
          to = e.ends()[t];
        }
      }
    }
    return new Best(score, q.context().substring(from, Math.max(from, to)));
  }
}
