package tacet.deft;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tacet.autograd.Losses;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.task.ImageTask;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.ImageModel;
import tacet.transformer.Tap;
import tacet.transformer.image.ImagePreprocessor;

/**
 * Classification of images.
 *
 * @param task what labels mean and how predictions are judged
 * @param train to learn from
 * @param dev to judge by
 * @param preprocessor makes pixels as the model wants them
 * @param tokens of an image: its patches and one
 */
public record ImageProblem(
    ImageTask task,
    List<ImageTask.Example> train,
    List<ImageTask.Example> dev,
    ImagePreprocessor preprocessor,
    int tokens)
    implements Problem<ImageModel> {
  private static final int BATCH = 32;

  /** Copies the lists. */
  public ImageProblem {
    train = List.copyOf(train);
    dev = List.copyOf(dev);
  }

  private record Images(Tensor pixels, int[] labels, int length) implements Load<ImageModel> {
    @Override
    public Tokens tokens(ImageModel model) {
      return Tokens.of(Batch.unpadded(labels.length, length));
    }

    @Override
    public double weight() {
      return labels.length;
    }

    @Override
    public Var loss(Pass pass, ImageModel model) {
      return Losses.crossEntropy(pass, model.forward(pass, pixels).logits(), labels);
    }

    @Override
    public void run(Pass pass, ImageModel model) {
      model.forward(pass, pixels);
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
    return tokens;
  }

  @Override
  public Load<ImageModel> load(int[] examples, long seed, long step) {
    return images(Arrays.stream(examples).mapToObj(train::get).toList());
  }

  private Images images(List<ImageTask.Example> examples) {
    return new Images(
        preprocessor.pixels(examples.stream().map(ImageTask.Example::image).toList()),
        examples.stream().mapToInt(ImageTask.Example::label).toArray(),
        tokens);
  }

  @Override
  public Evaluator.Result evaluate(Engine engine, ImageModel model) {
    ImageModel tapped = Tap.onActivations(model);
    DensityMeter meter = new DensityMeter();
    List<Double> predicted = new ArrayList<>();
    long start = System.nanoTime();
    for (int from = 0; from < dev.size(); from += BATCH) {
      Images batch = images(dev.subList(from, Math.min(dev.size(), from + BATCH)));
      try (Pass pass = Pass.inference(engine)) {
        meter.observe(pass, batch.tokens(model));
        Tensor logits = tapped.forward(pass, batch.pixels).logits().value();
        for (int b = 0; b < batch.labels.length; b++) {
          predicted.add((double) Evaluator.largest(logits, b));
        }
      }
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    double[] labels = dev.stream().mapToDouble(ImageTask.Example::label).toArray();
    return new Evaluator.Result(
        task.scores(predicted.stream().mapToDouble(p -> p).toArray(), labels),
        meter.density(),
        null,
        seconds);
  }

  @Override
  public float[] outputs(Engine engine, ImageModel model, int examples, Watch watch) {
    Outputs all = new Outputs();
    int n = Math.min(examples, dev.size());
    for (int from = 0; from < n; from += BATCH) {
      Images batch = images(dev.subList(from, Math.min(n, from + BATCH)));
      try (Pass pass = Pass.inference(engine)) {
        watch.begins(pass, batch.tokens(model));
        all.add(model.forward(pass, batch.pixels).logits().value());
      }
    }
    return all.values();
  }
}
