package tacet.deft.task;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import tacet.transformer.image.RgbImage;

/**
 * A task of telling images apart.
 *
 * @param name as in metrics.json
 * @param labels what class 0, 1, … is called
 * @param train the images to learn from
 * @param dev the images to judge by
 */
public record ImageTask(String name, List<String> labels, Split train, Split dev) {
  /** An image and its class. */
  public record Example(RgbImage image, int label) {
    /** Refuses a missing image and a negative class. */
    public Example {
      Objects.requireNonNull(image, "image");
      if (label < 0) {
        throw new IllegalArgumentException("label " + label);
      }
    }
  }

  /** A part of the data, read anew by every call and always the same. */
  @FunctionalInterface
  public interface Split {
    /**
     * The images in file order.
     *
     * @param limit at most so many
     * @throws IOException if a file cannot be read or is not what it should be
     */
    List<Example> read(int limit) throws IOException;
  }

  /** Copies the list; there must be two classes at least. */
  public ImageTask {
    labels = List.copyOf(labels);
    if (labels.size() < 2) {
      throw new IllegalArgumentException(name + ": " + labels.size() + " labels");
    }
  }

  /** The accuracy in percent. */
  public Map<String, Double> scores(double[] predicted, double[] gold) {
    return Map.of(Metric.ACCURACY.key(), 100 * Metric.ACCURACY.of(predicted, gold));
  }
}
