package tacet.deft.task;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import tacet.deft.task.ImageTask.Example;
import tacet.transformer.image.RgbImage;

/**
 * Images of one shape on a noisy ground that need no file: disc, ring, square, cross, horizontal and
 * vertical stripes. Place, size and both colours vary, so that neither colour nor brightness tells
 * the class. The same seed gives the same images.
 */
public final class SyntheticShapes {
  /** The name of the task. */
  public static final String NAME = "shapes";

  private static final List<String> LABELS =
      List.of("disc", "ring", "square", "cross", "horizontal", "vertical");
  private static final int NOISE = 24;

  private SyntheticShapes() {}

  /**
   * The task with splits of the given sizes.
   *
   * @param side width and height of the images in pixels
   */
  public static ImageTask task(long seed, int train, int dev, int side) {
    return new ImageTask(
        NAME,
        LABELS,
        limit -> images(2 * seed, Math.min(limit, train), side),
        limit -> images(2 * seed + 1, Math.min(limit, dev), side));
  }

  private static List<Example> images(long seed, int count, int side) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Example> examples = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      int label = random.nextInt(LABELS.size());
      examples.add(new Example(image(random, label, side), label));
    }
    return examples;
  }

  private static RgbImage image(SplittableRandom random, int label, int side) {
    double radius = side * random.nextDouble(0.22, 0.36);
    double cx = random.nextDouble(radius, side - radius);
    double cy = random.nextDouble(radius, side - radius);
    int[] ground = colour(random);
    int[] ink = colour(random);
    while (Math.abs(luminance(ink) - luminance(ground)) < 60) {
      ink = colour(random);
    }
    byte[] rgb = new byte[3 * side * side];
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        double dx = (x + 0.5 - cx) / radius;
        double dy = (y + 0.5 - cy) / radius;
        int[] c = inside(label, dx, dy) ? ink : ground;
        for (int k = 0; k < 3; k++) {
          int v = c[k] + random.nextInt(-NOISE, NOISE + 1);
          rgb[3 * (y * side + x) + k] = (byte) Math.clamp(v, 0, 255);
        }
      }
    }
    return new RgbImage(side, side, rgb);
  }

  /** Whether a point belongs to the shape, in units of its radius from its centre. */
  private static boolean inside(int label, double dx, double dy) {
    double distance = Math.sqrt(dx * dx + dy * dy);
    double reach = Math.max(Math.abs(dx), Math.abs(dy));
    return switch (label) {
      case 0 -> distance < 1;
      case 1 -> distance < 1 && distance > 0.55;
      case 2 -> reach < 0.85;
      case 3 -> reach < 1 && Math.min(Math.abs(dx), Math.abs(dy)) < 0.3;
      case 4 -> reach < 1 && Math.floorMod((int) Math.floor(dy * 2.5), 2) == 0;
      default -> reach < 1 && Math.floorMod((int) Math.floor(dx * 2.5), 2) == 0;
    };
  }

  private static int[] colour(SplittableRandom random) {
    return new int[] {random.nextInt(256), random.nextInt(256), random.nextInt(256)};
  }

  private static double luminance(int[] c) {
    return 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2];
  }
}
