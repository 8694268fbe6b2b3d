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
   * Which training examples are used.
   *
   * @param train how many to learn from, the first ones; 0 where nothing is trained
   * @param heldOut how many to judge by in place of the dev set, the last ones; 0 for the dev set
   */
  record Share(int train, int heldOut) {
    static final Share NONE = new Share(0, 0);

    /** What to learn from and what to judge by. */
    <T> Parts<T> of(Read<T> train, Read<T> dev, int devSamples) throws IOException {
      if (this.train == 0) {
        return new Parts<>(List.of(), first(dev.all(), devSamples));
      }
      List<T> all = train.all();
      if (heldOut == 0) {
        return new Parts<>(first(all, this.train), first(dev.all(), devSamples));
      }
      int rest = all.size() - heldOut;
      if (rest < 1) {
        throw new UserException(
            "--hold-out " + heldOut + ": there are only " + all.size() + " training examples");
      }
      List<T> last = all.subList(rest, all.size());
      return new Parts<>(first(all.subList(0, rest), this.train), first(last, devSamples));
    }
  }

  /** Examples of a task. */
  record Parts<T>(List<T> train, List<T> judged) {}

  /** Reads examples. */
  interface Read<T> {
    List<T> all() throws IOException;
  }

  /** Loads model and data. */
  static Work<?> of(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, Share share)
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
      return answers(options, source, data, seed, share);
    }
    return switch (data.kind()) {
      case TEXTS -> texts(options, source, data, seed, share);
      case READING -> spans(options, source, data, seed, share);
      case IMAGES -> images(options, source, data, seed, share);
    };
  }

  private static <T> List<T> first(List<T> list, int n) {
    return list.subList(0, Math.min(n, list.size()));
  }

  private static Work<TextModel> texts(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, Share share)
      throws IOException {
    Task task = data.task(seed, share.train());
    Parts<Example> parts = share.of(task.train()::read, task.dev()::read, data.devSamples());
    Map<String, Dataset> others = new LinkedHashMap<>();
    if (share.heldOut() == 0) {
      for (Map.Entry<String, Task.Split> other : task.others().entrySet()) {
        List<Example> more = first(other.getValue().read(), data.devSamples());
        others.put(other.getKey(), source.dataset(more, data.maxLength()));
      }
    }
    TextProblem problem =
        new TextProblem(
            task,
            source.dataset(parts.train(), data.maxLength()),
            source.dataset(parts.judged(), data.maxLength()),
            others);
    TextModels.Classifier loaded = options.classifier(source, task.outputs(), seed);
    return new Work<>(
        loaded.model(),
        TrainCommand.modulesToSave(loaded),
        problem,
        "SEQ_CLS",
        (dir, m) -> new ModelFolder(source).classifier(dir, m, task.outputs(), options.chosen()));
  }

  private static Work<TextModel> spans(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, Share share)
      throws IOException {
    Parts<Squad.Question> parts = questions(data, seed, share);
    SpanProblem.Windows windows =
        new SpanProblem.Windows(
            Math.min(data.maxLength(), source.longest()),
            data.stride(),
            SpanProblem.Windows.STANDARD.longestAnswer());
    TextModels.Classifier loaded = source.questionAnswering(seed);
    return new Work<>(
        options.withActivation(loaded.model()),
        TrainCommand.modulesToSave(loaded),
        new SpanProblem(
            data.name(),
            parts.train(),
            parts.judged(),
            source.tokenizer(),
            source.padId(),
            windows),
        "QUESTION_ANS",
        (dir, m) -> new ModelFolder(source).questionAnswering(dir, m, options.chosen()));
  }

  private static Work<Seq2SeqModel> answers(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, Share share)
      throws IOException {
    Parts<Squad.Question> parts = questions(data, seed, share);
    AnswerProblem problem =
        new AnswerProblem(
            data.name(),
            parts.train(),
            parts.judged(),
            source.tokenizer(),
            data.maxLength(),
            source.padId(),
            source.config().intOr("eos_token_id", 1));
    return new Work<>(
        options.withActivation(source.seq2seq()),
        List.of(),
        problem,
        "SEQ_2_SEQ_LM",
        (dir, m) -> new ModelFolder(source).seq2seq(dir, m, options.chosen()));
  }

  private static Parts<Squad.Question> questions(TaskOptions data, long seed, Share share)
      throws IOException {
    return share.of(
        () -> questions(data, seed, false, share.train()),
        () -> questions(data, seed, true, 0),
        data.devSamples());
  }

  /** SQuAD's questions, or made-up ones. */
  private static List<Squad.Question> questions(
      TaskOptions data, long seed, boolean dev, int samples) throws IOException {
    if (data.isSquad()) {
      return ParquetTask.isIn(data.data())
          ? ParquetTask.squad(data.data(), dev)
          : Squad.read(data.data().resolve(dev ? "dev-v1.1.json" : "train-v1.1.json"));
    }
    return SyntheticFacts.reading(seed, data.builtIn(dev, samples), dev);
  }

  private static Work<ImageModel> images(
      ModelOptions options, ModelSource source, TaskOptions data, long seed, Share share)
      throws IOException {
    ImageTask task = data.images(seed, source.imageSide(), share.train());
    Parts<ImageTask.Example> parts =
        share.of(
            () -> task.train().read(share.heldOut() == 0 ? share.train() : Integer.MAX_VALUE),
            () -> task.dev().read(data.devSamples()),
            data.devSamples());
    ImageProblem problem =
        new ImageProblem(
            task, parts.train(), parts.judged(), source.imagePreprocessor(), source.imageTokens());
    ImageModel model = source.imageClassifier(task.labels().size(), seed);
    return new Work<>(
        options.withActivation(model),
        List.of("classifier"),
        problem,
        null,
        (dir, m) ->
            new ModelFolder(source)
                .imageClassifier(dir, m, task.labels().size(), options.chosen()));
  }
}
