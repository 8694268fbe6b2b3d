package tacet.transformer.checkpoint;

import static java.util.stream.Collectors.joining;

import java.util.Collection;
import java.util.List;
import tacet.tensor.Shape;

/**
 * What a file says about one of its tensors.
 *
 * @param file the file it is in
 * @param name its name there
 * @param dtype stored element type
 * @param dims extents, outermost first; empty for a scalar. They may exceed what {@link Shape}
 *     holds
 * @param byteSize bytes of its elements
 */
public record TensorInfo(String file, String name, DType dtype, List<Long> dims, long byteSize) {
  /** Longest piece of a name shown in a message. */
  private static final int SHOWN = 120;

  /** Most names listed in a message. */
  private static final int LISTED = 8;

  /** Copies the extents. */
  public TensorInfo {
    dims = List.copyOf(dims);
  }

  /**
   * The extents as a shape.
   *
   * @throws FormatException if they are more than one Java array holds
   */
  public Shape shape() throws FormatException {
    int[] d = new int[dims.size()];
    for (int i = 0; i < d.length; i++) {
      long extent = dims.get(i);
      if (extent < 0 || extent > Integer.MAX_VALUE) {
        throw error("extents " + dims + " do not fit a Java array (2^31-9 elements)");
      }
      d[i] = (int) extent;
    }
    try {
      return Shape.of(d);
    } catch (IllegalArgumentException e) {
      throw new FormatException(file, "tensor " + quoted(name) + ": " + e.getMessage(), e);
    }
  }

  /** An error about this tensor, naming it and its file. */
  public FormatException error(String problem) {
    return new FormatException(file, "tensor " + quoted(name) + ": " + problem);
  }

  /** A name as it is shown in messages: quoted, control characters escaped, cut if very long. */
  static String quoted(String name) {
    StringBuilder sb = new StringBuilder();
    Json.quote(sb, name.length() <= SHOWN ? name : name.substring(0, SHOWN) + "…");
    return sb.toString();
  }

  /** The error of asking for a tensor that is not there, listing some that are. */
  static FormatException noSuchTensor(String file, String name, Collection<String> names) {
    String some = names.stream().limit(LISTED).map(TensorInfo::quoted).collect(joining(", "));
    return new FormatException(
        file,
        "has no tensor "
            + quoted(name)
            + "; it has "
            + names.size()
            + (names.isEmpty() ? "" : ": " + some)
            + (names.size() > LISTED ? ", …" : ""));
  }

  /** The shape, after checking that the elements can become float32. */
  Shape floatShape() throws FormatException {
    if (!dtype.isFloat() && !dtype.isInteger()) {
      throw error("dtype " + dtype + " cannot be read as float32; convert it to BF16 or F32 first");
    }
    return shape();
  }

  /** The number of elements, after checking that they are integers and fit an array. */
  int longCount() throws FormatException {
    if (!dtype.isInteger()) {
      throw error("expected integers, found dtype " + dtype);
    }
    return shape().size();
  }

  /** The number of bytes, after checking that they fit an array. */
  int arrayBytes() throws FormatException {
    if (byteSize > Integer.MAX_VALUE - 8) {
      throw error(byteSize + " bytes do not fit a Java array");
    }
    return (int) byteSize;
  }
}
