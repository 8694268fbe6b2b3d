package tacet.deft;

import java.util.LinkedHashMap;
import java.util.Map;
import tacet.autograd.Losses;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.task.Task;
import tacet.tensor.Engine;
import tacet.transformer.TextModel;

/**
 * Classification of texts, or a regression on them.
 *
 * @param task what labels mean and how predictions are judged
 * @param train examples to learn from
 * @param dev examples to judge by
 * @param others more examples to judge by, by the suffix of their metrics: MNLI's {@code mm}
 */
public record TextProblem(Task task, Dataset train, Dataset dev, Map<String, Dataset> others)
    implements Problem<TextModel> {
  /** Copies the map, keeping its order. */
  public TextProblem {
    others = new LinkedHashMap<>(others);
  }

  /** With one data set to judge by. */
  public TextProblem(Task task, Dataset train, Dataset dev) {
    this(task, train, dev, Map.of());
  }

  private record Texts(Dataset.Cut cut, boolean regression) implements Load<TextModel> {
    @Override
    public Tokens tokens(TextModel model) {
      return Tokens.of(model.seen(cut.batch()));
    }

    @Override
    public double weight() {
      return cut.numbers().length;
    }

    @Override
    public Var loss(Pass pass, TextModel model) {
      Var logits = model.forward(pass, cut.batch()).logits();
      return regression
          ? Losses.meanSquaredError(pass, logits, cut.targets())
          : Losses.crossEntropy(pass, logits, cut.classes());
    }

    @Override
    public void run(Pass pass, TextModel model) {
      model.forward(pass, cut.batch());
    }
  }

  @Override
  public String name() {
    return task.name();
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
    return new Texts(train.cut(examples), task.isRegression());
  }

  @Override
  public Evaluator.Result evaluate(Engine engine, TextModel model) {
    Evaluator.Result result = Evaluator.evaluate(engine, model, dev, task);
    Map<String, Double> metrics = new LinkedHashMap<>(result.metrics());
    double seconds = result.seconds();
    for (Map.Entry<String, Dataset> other : others.entrySet()) {
      Evaluator.Result more = Evaluator.evaluate(engine, model, other.getValue(), task);
      more.metrics().forEach((name, v) -> metrics.put(name + "_" + other.getKey(), v));
      seconds += more.seconds();
    }
    return new Evaluator.Result(metrics, result.density(), result.decoder(), seconds);
  }

  @Override
  public float[] outputs(Engine engine, TextModel model, int examples, Watch watch) {
    return Outputs.of(engine, model, dev.first(examples), watch);
  }
}
