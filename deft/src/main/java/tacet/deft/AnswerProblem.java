package tacet.deft;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Pass;
import tacet.deft.task.Squad;
import tacet.tensor.Engine;
import tacet.transformer.Batch;
import tacet.transformer.GenerativeModel;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Tap;
import tacet.transformer.generation.Limits;
import tacet.transformer.generation.Strategy;
import tacet.transformer.generation.TextGenerator;
import tacet.transformer.text.Tokenizer;
import tacet.transformer.text.Truncation;

/**
 * Reading comprehension as text to text: {@code question: … context: …} is read, the answer is written
 * (arXiv 2402.01911, section 4: T5 on SQuAD). Judged by what is written token by token; densities are
 * those of encoder and decoder while the reference answers are read.
 */
public final class AnswerProblem implements Problem<Seq2SeqModel> {
  private static final int BATCH = 32;
  private static final int LONGEST_ANSWER = 32;

  private final String name;
  private final Sequences train;
  private final List<Squad.Question> dev;
  private final Sequences devPairs;
  private final Tokenizer tokenizer;
  private final int end;

  /**
   * Tokenises questions.
   *
   * @param maxLength of a source in tokens; the end of the context is cut off
   * @param padId the model's padding token
   * @param end the model's end token
   */
  public AnswerProblem(
      String name,
      List<Squad.Question> train,
      List<Squad.Question> dev,
      Tokenizer tokenizer,
      int maxLength,
      int padId,
      int end) {
    this.name = name;
    this.tokenizer = tokenizer;
    this.end = end;
    this.dev = List.copyOf(dev);
    this.train = pairs(train, maxLength, padId);
    this.devPairs = pairs(dev, maxLength, padId);
  }

  private Sequences pairs(List<Squad.Question> questions, int maxLength, int padId) {
    List<Sequences.Item> items = new ArrayList<>(questions.size());
    for (Squad.Question q : questions) {
      String source = "question: " + q.question() + " context: " + q.context();
      String answer = q.answers().get(0).text();
      items.add(
          new Sequences.Item(
              tokenizer.encode(source, null, Truncation.to(maxLength)).ids(),
              tokenizer.encode(answer, null, Truncation.to(LONGEST_ANSWER)).ids()));
    }
    return new Sequences(items, padId);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int size() {
    return train.items().size();
  }

  @Override
  public int length(int example) {
    return train.items().get(example).source().length;
  }

  @Override
  public Load<Seq2SeqModel> load(int[] examples, long seed, long step) {
    return train.load(examples);
  }

  @Override
  public Evaluator.Result evaluate(Engine engine, Seq2SeqModel model) {
    Seq2SeqModel tapped = Tap.onActivations(model);
    DensityMeter meter = new DensityMeter();
    Map<String, String> answers = new HashMap<>();
    long start = System.nanoTime();
    for (Sequences.Cut cut : devPairs.sortedBatches(BATCH)) {
      try (Pass pass = Pass.inference(engine)) {
        Batch target = cut.target(tapped);
        meter.observe(pass, new Tokens(model.seen(cut.source()), target));
        tapped.forward(pass, cut.source(), target);
      }
      int[][] written = write(engine, model, cut.source());
      for (int b = 0; b < written.length; b++) {
        answers.put(dev.get(cut.numbers()[b]).id(), tokenizer.decode(written[b], true).strip());
      }
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    return new Evaluator.Result(
        SpanProblem.scores(dev, answers),
        meter.density(layer -> !Tokens.inDecoder(layer)),
        meter.density(Tokens::inDecoder),
        seconds);
  }

  /** Greedily, with the memory of what was written where the model has one. */
  private int[][] write(Engine engine, Seq2SeqModel model, Batch source) {
    if (model instanceof GenerativeModel writer) {
      Limits limits = new Limits(LONGEST_ANSWER, 0, List.of(end), devPairs.padId());
      return new TextGenerator(writer, limits).write(engine, source, new Strategy.Greedy());
    }
    return Sequences.greedy(engine, model, source, end, LONGEST_ANSWER);
  }

  @Override
  public float[] outputs(Engine engine, Seq2SeqModel model, int examples, Watch watch) {
    Sequences some =
        new Sequences(
            devPairs.items().subList(0, Math.min(examples, devPairs.items().size())),
            devPairs.padId());
    Outputs all = new Outputs();
    for (Sequences.Cut cut : some.sortedBatches(BATCH)) {
      try (Pass pass = Pass.inference(engine)) {
        Batch target = cut.target(model);
        watch.begins(pass, new Tokens(model.seen(cut.source()), target));
        all.add(model.forward(pass, cut.source(), target).logits().value());
      }
    }
    return all.values();
  }
}
