package tacet.transformer.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;

/** Tensors that are already in memory, seen as a file of float32 tensors. */
final class HeapTensors implements TensorFile {
  private final String name;
  private final Map<String, Tensor> tensors;

  /** A view of a copy of the map; the tensors themselves are shared. */
  HeapTensors(String name, Map<String, Tensor> tensors) {
    this.name = name;
    this.tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
  }

  @Override
  public String file() {
    return name;
  }

  @Override
  public Set<String> names() {
    return tensors.keySet();
  }

  @Override
  public TensorInfo info(String tensor) throws FormatException {
    Shape shape = read(tensor).shape();
    List<Long> dims = new ArrayList<>();
    for (int d : shape.toArray()) {
      dims.add((long) d);
    }
    return new TensorInfo(name, tensor, DType.F32, dims, 4L * shape.size());
  }

  @Override
  public Tensor read(String tensor) throws FormatException {
    Tensor t = tensors.get(tensor);
    if (t == null) {
      throw TensorInfo.noSuchTensor(name, tensor, names());
    }
    return t;
  }

  @Override
  public Tensor source(String tensor) throws FormatException {
    return read(tensor);
  }

  @Override
  public long[] readLongs(String tensor) throws FormatException {
    throw info(tensor).error("expected integers, found dtype F32");
  }

  @Override
  public byte[] readBytes(String tensor) throws FormatException {
    Tensor t = read(tensor);
    byte[] bytes = new byte[info(tensor).arrayBytes()];
    DType.F32.encode(t.data(), 0, t.size(), MemorySegment.ofArray(bytes));
    return bytes;
  }

  @Override
  public void close() {} // nothing is held but memory
}
