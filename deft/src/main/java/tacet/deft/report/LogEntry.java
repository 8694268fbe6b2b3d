package tacet.deft.report;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** One line of log.jsonl. */
public sealed interface LogEntry {
  /** Optimizer steps done when the line was written. */
  long step();

  /** The line's object, keys in order. */
  Json toJson();

  /**
   * One optimizer step.
   *
   * @param step steps done, this one included
   * @param epoch passes over the training data, as a fraction
   * @param loss task loss + λ · density loss
   * @param taskLoss the first part
   * @param densityLoss the second part before λ; 0 where none is computed
   * @param learningRate of this step
   * @param seconds since training began
   * @param examplesPerSecond speed of this step
   */
  record Step(
      long step,
      double epoch,
      double loss,
      double taskLoss,
      double densityLoss,
      double learningRate,
      double seconds,
      double examplesPerSecond)
      implements LogEntry {
    @Override
    public Json toJson() {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("step", step);
      json.put("epoch", epoch);
      json.put("loss", loss);
      json.put("task_loss", taskLoss);
      json.put("density_loss", densityLoss);
      json.put("learning_rate", learningRate);
      json.put("seconds", seconds);
      json.put("examples_per_second", examplesPerSecond);
      return Json.of(json);
    }
  }

  /**
   * One evaluation on the dev split.
   *
   * @param step steps done before
   * @param score the task's primary metric in percent
   * @param density share of activations that are not exactly zero, in percent
   * @param layers the same per layer
   */
  record Evaluation(long step, double score, double density, List<Double> layers)
      implements LogEntry {
    /** Copies the list. */
    public Evaluation {
      layers = List.copyOf(layers);
    }

    @Override
    public Json toJson() {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("step", step);
      json.put("score", score);
      json.put("density", density);
      json.put("layers", layers);
      return Json.of(json);
    }
  }

  /**
   * Reads a line: an evaluation has a {@code score}, a step has none.
   *
   * @throws FormatException if a key is missing or of the wrong kind
   */
  static LogEntry fromJson(Json json) throws FormatException {
    long step = json.get("step").asLong();
    if (json.members().containsKey("score")) {
      return new Evaluation(
          step,
          Fields.number(json.get("score")),
          Fields.number(json.get("density")),
          Fields.list(json.get("layers")));
    }
    return new Step(
        step,
        Fields.number(json.get("epoch")),
        Fields.number(json.get("loss")),
        Fields.number(json.get("task_loss")),
        Fields.number(json.get("density_loss")),
        Fields.number(json.get("learning_rate")),
        Fields.number(json.get("seconds")),
        Fields.number(json.get("examples_per_second")));
  }
}
