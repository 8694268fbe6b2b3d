package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.deft.Dataset;
import tacet.deft.Problem;
import tacet.deft.TextProblem;
import tacet.deft.task.Example;
import tacet.deft.task.Task;
import tacet.transformer.Part;
import tacet.transformer.TextModel;
import tacet.transformer.model.TextModels;

/**
 * A model with the head of a task, and the task as the trainer sees it.
 *
 * @param model frozen, with the chosen activation
 * @param modulesToSave parts that are trained whole, whatever the method: the head
 * @param problem the task's examples
 * @param taskType as Hugging Face peft calls the task
 * @param writer writes a tuned model as a directory
 */
record Work<M extends Part>(
    M model, List<String> modulesToSave, Problem<M> problem, String taskType, Writer<M> writer) {

  /** Writes a model as a Hugging Face directory. */
  interface Writer<M extends Part> {
    void write(Path dir, M model) throws IOException;
  }

  /**
   * Loads model and data.
   *
   * @param samples how many training examples to use; 0 where nothing is trained
   */
  static Work<?> of(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, int samples)
      throws IOException {
    return texts(options, source, data, seed, samples);
  }

  private static Work<TextModel> texts(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, int samples)
      throws IOException {
    Task task = data.task(seed);
    List<Example> train = samples == 0 ? List.of() : task.train().read();
    train = train.subList(0, Math.min(samples, train.size()));
    Map<String, Dataset> others = new LinkedHashMap<>();
    for (Map.Entry<String, Task.Split> other : task.others().entrySet()) {
      others.put(other.getKey(), source.dataset(other.getValue().read(), data.maxLength()));
    }
    TextProblem problem =
        new TextProblem(
            task,
            source.dataset(train, data.maxLength()),
            source.dataset(data.dev(task), data.maxLength()),
            others);
    TextModels.Classifier loaded = options.classifier(source, task.outputs(), seed);
    return new Work<>(
        loaded.model(),
        TrainCommand.modulesToSave(loaded),
        problem,
        "SEQ_CLS",
        (dir, m) -> source.save(dir, m, task.outputs(), options.chosen()));
  }
}
