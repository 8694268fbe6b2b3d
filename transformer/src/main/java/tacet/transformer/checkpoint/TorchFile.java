package tacet.transformer.checkpoint;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;
import tacet.transformer.checkpoint.TorchPickle.View;

/**
 * A dictionary of tensors written by {@code torch.save}: {@code pytorch_model.bin}, {@code
 * pytorch_adapter.bin}. A zip file of {@code NAME/data.pkl}, a pickle that describes the tensors,
 * and {@code NAME/data/KEY}, the storages they are views of. It is mapped, and only tensors are
 * made of it: code in the pickle is refused (see {@link TorchPickle}).
 */
public final class TorchFile implements TensorFile {
  /** First bytes of a pickled long, the magic number of files written before PyTorch 1.6. */
  private static final byte[] LEGACY = {(byte) 0x80, 2, (byte) 0x8a, 10, 0x6c, (byte) 0xfc};

  private final MappedFile mapped;
  private final Map<String, MemorySegment> entries;
  private final String root; // NAME/
  private final Map<String, View> views;
  private final Map<String, TensorInfo> infos;

  /** Reads the description of the tensors. */
  TorchFile(MappedFile mapped) throws FormatException {
    this.mapped = mapped;
    if (startsWith(mapped.bytes(), LEGACY)) {
      throw error(
          "a torch file of the format before PyTorch 1.6; rewrite it in Python with"
              + " torch.save(torch.load(file, weights_only=True), file)");
    }
    if (!StoredZip.isZip(mapped.bytes())) {
      throw error("neither a safetensors file nor a torch file (a zip with data.pkl)");
    }
    entries = StoredZip.entries(mapped.bytes(), file());
    root = root();
    MemorySegment order = entries.get(root + "byteorder");
    if (order != null && order.byteSize() < 100 && !text(order).equals("little")) {
      throw error("byte order " + TensorInfo.quoted(text(order)) + " is not supported");
    }
    MemorySegment pickle = entries.get(root + "data.pkl");
    if (pickle.byteSize() > TorchPickle.MAX_BYTES) {
      throw error("data.pkl of " + pickle.byteSize() + " bytes is too large");
    }
    views = TorchPickle.read(pickle.toArray(ValueLayout.JAVA_BYTE), file());
    Map<String, TensorInfo> all = new LinkedHashMap<>();
    for (Map.Entry<String, View> e : views.entrySet()) {
      all.put(e.getKey(), info(e.getKey(), e.getValue()));
    }
    infos = Collections.unmodifiableMap(all);
  }

  /**
   * Maps a file and reads its description.
   *
   * @throws FormatException if it is damaged, of the format before PyTorch 1.6, or holds anything
   *     but a dictionary of tensors
   * @throws IOException if it cannot be read
   */
  public static TorchFile open(Path path) throws IOException {
    return MappedFile.open(path, TorchFile::new);
  }

  /** Whether a file begins like one of {@code torch.save}, today's or that before PyTorch 1.6. */
  static boolean looksLikeOne(MemorySegment bytes) {
    return StoredZip.isZip(bytes) || startsWith(bytes, LEGACY);
  }

  private static boolean startsWith(MemorySegment bytes, byte[] prefix) {
    MemorySegment p = MemorySegment.ofArray(prefix);
    return bytes.byteSize() >= prefix.length && bytes.asSlice(0, prefix.length).mismatch(p) < 0;
  }

  private String root() throws FormatException {
    for (String name : entries.keySet()) {
      if (name.endsWith("/data.pkl") && name.indexOf('/') == name.length() - "/data.pkl".length()) {
        return name.substring(0, name.length() - "data.pkl".length());
      }
    }
    throw error("a zip file, but not of torch.save: it has no data.pkl");
  }

  /** Checks that the storage is there, whole; the view was checked to lie within it. */
  private TensorInfo info(String name, View v) throws FormatException {
    TensorInfo info =
        new TensorInfo(file(), name, v.dtype(), v.dims(), v.count() * v.dtype().bytes());
    MemorySegment storage = entries.get(root + "data/" + v.key());
    if (storage == null
        || storage.byteSize() / v.dtype().bytes() != v.storageCount()
        || storage.byteSize() % v.dtype().bytes() != 0) {
      throw info.error(
          "its storage "
              + TensorInfo.quoted(v.key())
              + (storage == null ? " is missing" : " has " + storage.byteSize() + " bytes, not ")
              + (storage == null ? "" : v.storageCount() + " elements of " + v.dtype()));
    }
    return info;
  }

  @Override
  public String file() {
    return mapped.name();
  }

  @Override
  public Set<String> names() {
    return infos.keySet();
  }

  @Override
  public TensorInfo info(String name) throws FormatException {
    TensorInfo info = infos.get(name);
    if (info == null) {
      throw TensorInfo.noSuchTensor(file(), name, names());
    }
    return info;
  }

  @Override
  public Tensor read(String name) throws IOException {
    TensorInfo info = info(name);
    info.floatShape(); // before anything is copied
    return mapped.read(info, elements(info));
  }

  @Override
  public TensorSource source(String name) throws IOException {
    TensorInfo info = info(name);
    boolean inOrder = views.get(name).isContiguous() && info.byteSize() > 0;
    return inOrder ? mapped.source(info, elements(info)) : read(name);
  }

  @Override
  public long[] readLongs(String name) throws IOException {
    TensorInfo info = info(name);
    info.longCount();
    return mapped.readLongs(info, elements(info));
  }

  @Override
  public byte[] readBytes(String name) throws IOException {
    TensorInfo info = info(name);
    return mapped.readBytes(info, elements(info));
  }

  @Override
  public void close() {
    mapped.close();
  }

  /** The elements of a tensor in row-major order: in place, or gathered if they are strided. */
  private MemorySegment elements(TensorInfo info) throws FormatException {
    mapped.bytes(); // refuses a closed file
    View v = views.get(info.name());
    MemorySegment storage = entries.get(root + "data/" + v.key());
    if (info.byteSize() == 0) {
      return storage.asSlice(0, 0);
    }
    if (v.isContiguous()) {
      return storage.asSlice(v.offset() * v.dtype().bytes(), info.byteSize());
    }
    MemorySegment gathered = MemorySegment.ofArray(new byte[info.arrayBytes()]);
    mapped.guarded(() -> gather(v, storage, gathered));
    return gathered;
  }

  private static void gather(View v, MemorySegment from, MemorySegment to) {
    int width = v.dtype().bytes();
    long[] index = new long[v.dims().size()];
    long at = v.offset();
    for (long i = 0; i < to.byteSize(); i += width) {
      MemorySegment.copy(from, at * width, to, i, width);
      for (int d = index.length - 1; d >= 0; d--) { // the next index, as an odometer counts
        at += v.strides().get(d);
        if (++index[d] < v.dims().get(d)) {
          break;
        }
        at -= index[d] * v.strides().get(d);
        index[d] = 0;
      }
    }
  }

  private static String text(MemorySegment bytes) {
    return new String(bytes.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.ISO_8859_1);
  }

  private FormatException error(String problem) {
    return new FormatException(file(), problem);
  }
}
