package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.deft.AnswerProblem;
import tacet.deft.Dataset;
import tacet.deft.ImageProblem;
import tacet.deft.Problem;
import tacet.deft.SpanProblem;
import tacet.deft.TextProblem;
import tacet.deft.task.Example;
import tacet.deft.task.ImageTask;
import tacet.deft.task.Squad;
import tacet.deft.task.SyntheticFacts;
import tacet.deft.task.Task;
import tacet.transformer.ImageModel;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
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
    boolean images = data.kind() == TaskOptions.Kind.IMAGES;
    if (images != source.isImageModel()) {
      throw new UserException(
          "--task "
              + data.name()
              + (images ? " needs an image model, and " : " is not one for an image model, and ")
              + source.name()
              + " is a "
              + source.type());
    }
    if (source.isSeq2Seq()) {
      if (data.kind() != TaskOptions.Kind.READING) {
        throw new UserException(
            "--task " + data.name() + " is not one of text to text; squad and reading are");
      }
      return answers(options, source, data, seed, samples);
    }
    return switch (data.kind()) {
      case TEXTS -> texts(options, source, data, seed, samples);
      case READING -> spans(options, source, data, seed, samples);
      case IMAGES -> images(options, source, data, seed, samples);
    };
  }

  private static <T> List<T> first(List<T> list, int n) {
    return list.subList(0, Math.min(n, list.size()));
  }

  private static Work<TextModel> texts(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, int samples)
      throws IOException {
    Task task = data.task(seed);
    List<Example> train = samples == 0 ? List.of() : first(task.train().read(), samples);
    int judged = data.devSamples();
    Map<String, Dataset> others = new LinkedHashMap<>();
    for (Map.Entry<String, Task.Split> other : task.others().entrySet()) {
      List<Example> more = first(other.getValue().read(), judged);
      others.put(other.getKey(), source.dataset(more, data.maxLength()));
    }
    TextProblem problem =
        new TextProblem(
            task,
            source.dataset(train, data.maxLength()),
            source.dataset(first(task.dev().read(), judged), data.maxLength()),
            others);
    TextModels.Classifier loaded = options.classifier(source, task.outputs(), seed);
    return new Work<>(
        loaded.model(),
        TrainCommand.modulesToSave(loaded),
        problem,
        "SEQ_CLS",
        (dir, m) -> source.save(dir, m, task.outputs(), options.chosen()));
  }

  private static Work<TextModel> spans(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, int samples)
      throws IOException {
    List<Squad.Question> train =
        samples == 0 ? List.of() : first(questions(data, seed, false), samples);
    List<Squad.Question> dev = first(questions(data, seed, true), data.devSamples());
    SpanProblem.Windows windows =
        new SpanProblem.Windows(
            Math.min(data.maxLength(), source.longest()),
            data.stride(),
            SpanProblem.Windows.STANDARD.longestAnswer());
    TextModels.Classifier loaded = source.questionAnswering(seed);
    return new Work<>(
        options.withActivation(loaded.model()),
        TrainCommand.modulesToSave(loaded),
        new SpanProblem(data.name(), train, dev, source.tokenizer(), source.padId(), windows),
        "QUESTION_ANS",
        (dir, m) -> source.saveQuestionAnswering(dir, m, options.chosen()));
  }

  private static Work<Seq2SeqModel> answers(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, int samples)
      throws IOException {
    List<Squad.Question> train =
        samples == 0 ? List.of() : first(questions(data, seed, false), samples);
    List<Squad.Question> dev = first(questions(data, seed, true), data.devSamples());
    AnswerProblem problem =
        new AnswerProblem(
            data.name(),
            train,
            dev,
            source.tokenizer(),
            data.maxLength(),
            source.padId(),
            source.config().intOr("eos_token_id", 1));
    return new Work<>(
        options.withActivation(source.seq2seq()),
        List.of(),
        problem,
        "SEQ_2_SEQ_LM",
        (dir, m) -> source.saveSeq2Seq(dir, m, options.chosen()));
  }

  /** SQuAD's questions, or made-up ones. */
  static List<Squad.Question> questions(TaskOptions data, long seed, boolean dev)
      throws IOException {
    if (data.isSquad()) {
      return ParquetTask.isIn(data.data())
          ? ParquetTask.squad(data.data(), dev)
          : Squad.read(data.data().resolve(dev ? "dev-v1.1.json" : "train-v1.1.json"));
    }
    return SyntheticFacts.reading(seed, data.builtIn(dev), dev);
  }

  private static Work<ImageModel> images(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, int samples)
      throws IOException {
    ImageTask task = data.images(seed, source.imageSide());
    ImageProblem problem =
        new ImageProblem(
            task,
            samples == 0 ? List.of() : task.train().read(samples),
            task.dev().read(data.devSamples()),
            source.imagePreprocessor(),
            source.imageTokens());
    ImageModel model = source.imageClassifier(task.labels().size(), seed);
    return new Work<>(
        options.withActivation(model),
        List.of("classifier"),
        problem,
        null,
        (dir, m) -> source.saveImageClassifier(dir, m, task.labels().size(), options.chosen()));
  }
}
