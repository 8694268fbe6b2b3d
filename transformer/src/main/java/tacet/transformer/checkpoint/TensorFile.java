package tacet.transformer.checkpoint;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;

/**
 * Named tensors in a file, read when they are asked for. Usable from several threads; reading a
 * mapped file after {@link #close} is an {@link IllegalStateException}.
 *
 * <pre>{@code
 * try (TensorFile file = TensorFile.open(Path.of("adapter_model.safetensors"))) {
 *   for (String name : file.names()) {
 *     Tensor t = file.read(name);
 *   }
 * }
 * }</pre>
 */
public sealed interface TensorFile extends AutoCloseable
    permits SafeTensors, TorchFile, HeapTensors {
  /**
   * Opens a safetensors file or a file of PyTorch's {@code torch.save}, told apart by their first
   * bytes.
   *
   * @throws FormatException if it is neither, or damaged
   * @throws IOException if it cannot be read
   */
  static TensorFile open(Path file) throws IOException {
    return MappedFile.open(
        file,
        mapped ->
            TorchFile.looksLikeOne(mapped.bytes())
                ? new TorchFile(mapped)
                : new SafeTensors(mapped));
  }

  /** The file, as it is named in messages. */
  String file();

  /** Names of the tensors, in the order of their data. Unmodifiable. */
  Set<String> names();

  /**
   * Type and extents of a tensor.
   *
   * @throws FormatException if there is none of that name
   */
  TensorInfo info(String name) throws FormatException;

  /**
   * A tensor as float32, converted from whatever float or integer type it is stored in.
   *
   * @throws FormatException if there is none of that name, its type has no float32 meaning (see
   *     {@link DType}) or it is larger than a Java array
   */
  Tensor read(String name) throws IOException;

  /**
   * A tensor as float32 that stays in the file and is read piece by piece, also after {@link #close}.
   * The file must not be written to while it is in use; replacing it by another one is harmless.
   *
   * @return a tensor in memory where the file does not have its elements one after the other
   * @throws FormatException as for {@link #read}
   */
  TensorSource source(String name) throws IOException;

  /**
   * The elements of an integer tensor in row-major order.
   *
   * @throws FormatException if there is none of that name, it is not of an integer type or larger
   *     than a Java array
   */
  long[] readLongs(String name) throws IOException;

  /**
   * The elements as they are stored: little-endian, row-major.
   *
   * @throws FormatException if there is none of that name or it is larger than a Java array
   */
  byte[] readBytes(String name) throws IOException;

  /** Releases the file; closing twice is harmless. */
  @Override
  void close();
}
