package tacet.transformer.checkpoint;

import java.io.IOException;
import java.util.List;
import tacet.tensor.Shape;

/**
 * A checkpoint is sound but does not fit the model: tensors are missing, left over, or have another
 * shape. Lists all of them.
 */
public final class CheckpointException extends IOException {
  private static final long serialVersionUID = 1L;
  private static final int SHOWN = 10;

  private final String file;
  private final transient List<String> missing;
  private final transient List<String> unexpected;
  private final transient List<Mismatch> mismatched;

  /**
   * A tensor of another shape than the model needs.
   *
   * @param name its name in the file
   * @param found extents in the file
   * @param expected extents the model needs
   */
  public record Mismatch(String name, List<Long> found, Shape expected) {
    @Override
    public String toString() {
      return name + " is " + found + " in the file, the model needs " + expected;
    }
  }

  /** An error with its three lists, of which at least one should have something in it. */
  public CheckpointException(
      String file, List<String> missing, List<String> unexpected, List<Mismatch> mismatched) {
    super(message(file, missing, unexpected, mismatched));
    this.file = file;
    this.missing = List.copyOf(missing);
    this.unexpected = List.copyOf(unexpected);
    this.mismatched = List.copyOf(mismatched);
  }

  private static String message(
      String file, List<String> missing, List<String> unexpected, List<Mismatch> mismatched) {
    StringBuilder sb = new StringBuilder(file).append(": does not fit the model");
    list(sb, "missing", missing);
    list(sb, "unexpected", unexpected);
    list(sb, "of another shape", mismatched.stream().map(Mismatch::toString).toList());
    return sb.append("; check that config.json belongs to these weights").toString();
  }

  private static void list(StringBuilder sb, String kind, List<String> names) {
    if (names.isEmpty()) {
      return;
    }
    sb.append("; ").append(names.size()).append(' ').append(kind).append(": ");
    sb.append(String.join(", ", names.subList(0, Math.min(SHOWN, names.size()))));
    if (names.size() > SHOWN) {
      sb.append(", …");
    }
  }

  /** The checkpoint. */
  public String file() {
    return file;
  }

  /** Names the model asked for that the checkpoint lacks, in the order of asking. */
  public List<String> missing() {
    return missing;
  }

  /** Names in the checkpoint that the model has no use for, in file order. */
  public List<String> unexpected() {
    return unexpected;
  }

  /** Tensors of the wrong shape. */
  public List<Mismatch> mismatched() {
    return mismatched;
  }
}
