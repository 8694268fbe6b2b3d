package tacet.transformer.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A pickle machine that can make nothing but a dictionary of tensors. A pickle is a program; this
 * one knows the few operations and the few names that {@code torch.save} needs for a state_dict, as
 * data, and refuses every other by its name. Nothing in a file is ever called.
 *
 * <p>Opcodes are those of Python's {@code pickletools}, protocols 2 to 4; the names are those of
 * PyTorch's {@code _weights_only_unpickler.py}, restricted to tensors.
 */
final class TorchPickle {
  /** More than any model needs: a tensor takes about 15 objects and 200 bytes. */
  private static final int MAX_OBJECTS = 4_000_000;

  /** Largest data.pkl that is read. */
  static final int MAX_BYTES = 64 << 20;

  private static final int MAX_RANK = 64;

  private static final Object MARK = new Object();
  private static final Object NONE = new Object();

  private static final Global ORDERED_DICT = new Global("collections", "OrderedDict");
  private static final Global REBUILD_TENSOR = new Global("torch._utils", "_rebuild_tensor_v2");
  private static final Global REBUILD_PARAMETER = new Global("torch._utils", "_rebuild_parameter");
  private static final Map<Global, DType> STORAGES = storages();

  private final String file;
  private final ByteBuffer in;
  private final List<Object> stack = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();

  /** A name of a Python module. */
  private record Global(String module, String name) {
    @Override
    public String toString() {
      return module + "." + name;
    }
  }

  /** A Python tuple. */
  private record Tuple(List<Object> items) {}

  /** Elements in an entry of the archive: {@code data/KEY}. */
  private record Storage(DType dtype, String key, long count) {}

  /**
   * A strided view of a storage, in elements; checked to lie within it, and to be no larger.
   *
   * @param dtype element type
   * @param key the storage is the entry {@code data/KEY}
   * @param storageCount elements of the storage
   * @param offset of the first element
   * @param dims extents
   * @param strides distance of neighbours along each dimension
   */
  record View(
      DType dtype,
      String key,
      long storageCount,
      long offset,
      List<Long> dims,
      List<Long> strides) {

    /** Number of elements. */
    long count() {
      return dims.stream().reduce(1L, (a, b) -> a * b);
    }

    /** Whether the elements lie one behind the other in row-major order. */
    boolean isContiguous() {
      long next = 1;
      for (int i = dims.size() - 1; i >= 0; i--) {
        if (dims.get(i) != 1 && strides.get(i) != next) {
          return count() == 0;
        }
        next *= dims.get(i);
      }
      return true;
    }
  }

  private TorchPickle(byte[] pickle, String file) {
    this.file = file;
    this.in = ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Runs a pickle.
   *
   * @param pickle contents of data.pkl, at most {@link #MAX_BYTES}; not modified
   * @param file for messages
   * @return name to tensor, in the order of the dictionary
   * @throws FormatException if it is damaged or makes anything but a dictionary of tensors
   */
  static Map<String, View> read(byte[] pickle, String file) throws FormatException {
    Object top = new TorchPickle(pickle, file).run();
    if (!(top instanceof Map<?, ?> dict)) {
      throw new FormatException(
          file, "holds " + kind(top) + ", not a dictionary of tensors; save model.state_dict()");
    }
    Map<String, View> views = new LinkedHashMap<>();
    for (Map.Entry<?, ?> e : dict.entrySet()) {
      if (!(e.getValue() instanceof View view)) {
        throw new FormatException(
            file,
            TensorInfo.quoted((String) e.getKey())
                + " is "
                + kind(e.getValue())
                + ", not a tensor; save only model.state_dict()");
      }
      views.put((String) e.getKey(), view);
    }
    return views;
  }

  // ---------------------------------------------------------------- the machine

  private Object run() throws FormatException {
    for (int objects = 0; objects < MAX_OBJECTS; objects++) {
      int opcode = u8();
      if (opcode == '.') {
        return pop();
      }
      step(opcode);
    }
    throw error("more than " + MAX_OBJECTS + " operations");
  }

  private void step(int opcode) throws FormatException {
    switch (opcode) {
      case 0x80 -> protocol(u8());
      case 0x95 -> take(8); // FRAME: a length that only helps streams
      case '(' -> push(MARK);
      case '}' -> push(new LinkedHashMap<String, Object>());
      case ']' -> push(new ArrayList<>());
      case ')' -> push(new Tuple(List.of()));
      case 't' -> push(new Tuple(popToMark()));
      case 0x85 -> push(tuple(1));
      case 0x86 -> push(tuple(2));
      case 0x87 -> push(tuple(3));
      case 'N' -> push(NONE);
      case 0x88 -> push(true);
      case 0x89 -> push(false);
      case 'K' -> push((long) u8());
      case 'M' -> push((long) (u8() | u8() << 8));
      case 'J' -> push((long) take(4).getInt());
      case 0x8a -> push(long1(u8()));
      case 'G' -> push(take(8).order(ByteOrder.BIG_ENDIAN).getDouble());
      case 'X' -> push(text(take(4).getInt()));
      case 0x8c -> push(text(u8()));
      case 'q' -> memo.put(u8(), top());
      case 'r' -> memo.put(take(4).getInt(), top());
      case 0x94 -> memo.put(memo.size(), top());
      case 'h' -> push(recall(u8()));
      case 'j' -> push(recall(take(4).getInt()));
      case 'c' -> push(global(line(), line()));
      case 0x93 -> {
        String name = pop(String.class);
        push(global(pop(String.class), name));
      }
      case 'Q' -> push(storage(pop(Tuple.class).items));
      case 'R' -> {
        List<Object> arguments = pop(Tuple.class).items;
        push(reduce(pop(Global.class), arguments));
      }
      case 'b' -> {
        pop(); // attributes of an OrderedDict: the versions of the modules
        top(Map.class);
      }
      case 'a' -> {
        Object value = pop();
        append(List.of(value));
      }
      case 'e' -> append(popToMark());
      case 's' -> {
        Object value = pop();
        setItems(List.of(pop(), value));
      }
      case 'u' -> setItems(popToMark());
      default -> throw refusedOpcode(opcode);
    }
  }

  private FormatException refusedOpcode(int opcode) {
    String name =
        switch (opcode) {
          case 'i' -> "INST ";
          case 'o' -> "OBJ ";
          case 0x81 -> "NEWOBJ ";
          case 0x92 -> "NEWOBJ_EX ";
          case 0x82, 0x83, 0x84 -> "EXT ";
          default -> "";
        };
    return error(
        "pickle opcode "
            + name
            + "0x"
            + HexFormat.of().toHexDigits((byte) opcode)
            + " at byte "
            + (in.position() - 1)
            + " is not needed for tensors and is refused; save model.state_dict(), or convert the"
            + " file to safetensors");
  }

  private void protocol(int version) throws FormatException {
    if (version < 2 || version > 4) {
      throw error("pickle protocol " + version + " is not supported, only 2 to 4");
    }
  }

  /** The one place where names get a meaning. */
  private Global global(String module, String name) throws FormatException {
    Global g = new Global(module, name);
    if (g.equals(ORDERED_DICT)
        || g.equals(REBUILD_TENSOR)
        || g.equals(REBUILD_PARAMETER)
        || STORAGES.containsKey(g)) {
      return g;
    }
    throw error(
        "refers to "
            + TensorInfo.quoted(g.toString())
            + ", which is not a tensor and is refused; save model.state_dict(), or convert the file"
            + " to safetensors");
  }

  private static Map<Global, DType> storages() {
    Map<Global, DType> m = new HashMap<>();
    m.put(new Global("torch", "DoubleStorage"), DType.F64);
    m.put(new Global("torch", "FloatStorage"), DType.F32);
    m.put(new Global("torch", "HalfStorage"), DType.F16);
    m.put(new Global("torch", "BFloat16Storage"), DType.BF16);
    m.put(new Global("torch", "LongStorage"), DType.I64);
    m.put(new Global("torch", "IntStorage"), DType.I32);
    m.put(new Global("torch", "ShortStorage"), DType.I16);
    m.put(new Global("torch", "CharStorage"), DType.I8);
    m.put(new Global("torch", "ByteStorage"), DType.U8);
    m.put(new Global("torch", "BoolStorage"), DType.BOOL);
    return Map.copyOf(m);
  }

  private Object reduce(Global function, List<Object> arguments) throws FormatException {
    if (function.equals(ORDERED_DICT) && arguments.isEmpty()) {
      return new LinkedHashMap<String, Object>();
    }
    if (function.equals(REBUILD_TENSOR) && arguments.size() >= 6) {
      return view(
          argument(arguments, 0, Storage.class),
          argument(arguments, 1, Long.class),
          longs(argument(arguments, 2, Tuple.class)),
          longs(argument(arguments, 3, Tuple.class)));
    }
    if (function.equals(REBUILD_PARAMETER) && arguments.size() == 3) {
      return argument(arguments, 0, View.class);
    }
    throw error("damaged pickle: " + function + " of " + arguments.size() + " arguments");
  }

  /** A persistent id: ("storage", type, key, location, number of elements). */
  private Storage storage(List<Object> id) throws FormatException {
    if (id.size() != 5 || !"storage".equals(id.get(0))) {
      throw error("damaged pickle: a persistent id that is not a storage");
    }
    DType dtype = STORAGES.get(argument(id, 1, Global.class));
    long count = argument(id, 4, Long.class);
    if (dtype == null || count < 0) {
      throw error("damaged pickle: a storage of no known type or size");
    }
    return new Storage(dtype, argument(id, 2, String.class), count);
  }

  private View view(Storage storage, long offset, List<Long> dims, List<Long> strides)
      throws FormatException {
    if (dims.size() != strides.size() || offset < 0) {
      throw error("damaged pickle: a tensor with impossible extents");
    }
    try {
      long count = 1;
      long last = offset; // index of the last element
      for (int i = 0; i < dims.size(); i++) {
        if (dims.get(i) < 0 || strides.get(i) < 0) {
          throw error("damaged pickle: a tensor with negative extents or strides");
        }
        count = Math.multiplyExact(count, dims.get(i));
        last =
            Math.addExact(last, Math.multiplyExact(Math.max(0, dims.get(i) - 1), strides.get(i)));
      }
      if (count > 0 && last >= storage.count) {
        throw error("damaged pickle: a tensor reaches beyond its storage");
      }
      if (count > storage.count) {
        throw error(
            "holds an expanded tensor of "
                + count
                + " elements over "
                + storage.count
                + "; save it after .contiguous()");
      }
    } catch (ArithmeticException e) {
      throw error("damaged pickle: a tensor with impossible extents");
    }
    return new View(storage.dtype, storage.key, storage.count, offset, dims, strides);
  }

  // ---------------------------------------------------------------- operands

  private void push(Object o) {
    stack.add(o);
  }

  private Object top() throws FormatException {
    if (stack.isEmpty()) {
      throw error("damaged pickle: its stack is empty at byte " + in.position());
    }
    return stack.get(stack.size() - 1);
  }

  private Object pop() throws FormatException {
    Object o = top();
    stack.remove(stack.size() - 1);
    return o;
  }

  private <T> T pop(Class<T> type) throws FormatException {
    return cast(pop(), type);
  }

  private <T> T top(Class<T> type) throws FormatException {
    return cast(top(), type);
  }

  private <T> T argument(List<Object> arguments, int i, Class<T> type) throws FormatException {
    return cast(arguments.get(i), type);
  }

  private <T> T cast(Object o, Class<T> type) throws FormatException {
    if (!type.isInstance(o)) {
      throw error("damaged pickle: unexpected " + kind(o) + " before byte " + in.position());
    }
    return type.cast(o);
  }

  private Tuple tuple(int n) throws FormatException {
    Object[] items = new Object[n];
    for (int i = n - 1; i >= 0; i--) {
      items[i] = pop();
    }
    return new Tuple(List.of(items));
  }

  private List<Object> popToMark() throws FormatException {
    int mark = stack.size() - 1;
    while (mark >= 0 && stack.get(mark) != MARK) {
      mark--;
    }
    if (mark < 0) {
      throw error("damaged pickle: no mark on its stack at byte " + in.position());
    }
    List<Object> items = List.copyOf(stack.subList(mark + 1, stack.size()));
    stack.subList(mark, stack.size()).clear();
    return items;
  }

  @SuppressWarnings("unchecked")
  private void append(List<Object> values) throws FormatException {
    ((List<Object>) top(ArrayList.class)).addAll(values);
  }

  @SuppressWarnings("unchecked")
  private void setItems(List<Object> keysAndValues) throws FormatException {
    if (keysAndValues.size() % 2 != 0) {
      throw error("damaged pickle: a key without a value");
    }
    Map<String, Object> dict = top(LinkedHashMap.class);
    for (int i = 0; i < keysAndValues.size(); i += 2) {
      // Only text: the hash of anything mutable could recurse without end.
      if (dict.put(argument(keysAndValues, i, String.class), keysAndValues.get(i + 1)) != null) {
        throw error(TensorInfo.quoted((String) keysAndValues.get(i)) + " appears twice");
      }
    }
  }

  private List<Long> longs(Tuple tuple) throws FormatException {
    if (tuple.items.size() > MAX_RANK) {
      throw error("damaged pickle: a tensor of " + tuple.items.size() + " dimensions");
    }
    Long[] values = new Long[tuple.items.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = argument(tuple.items, i, Long.class);
    }
    return Arrays.asList(values);
  }

  private Object recall(int index) throws FormatException {
    Object o = memo.get(index);
    if (o == null) {
      throw error("damaged pickle: nothing is remembered as " + index);
    }
    return o;
  }

  // ---------------------------------------------------------------- bytes

  private ByteBuffer take(int n) throws FormatException {
    if (n < 0 || n > in.remaining()) {
      throw error("damaged pickle: it ends within an operation");
    }
    ByteBuffer taken = in.slice(in.position(), n).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + n);
    return taken;
  }

  private int u8() throws FormatException {
    return take(1).get() & 0xff;
  }

  private String text(int length) throws FormatException {
    byte[] utf8 = new byte[take(length).remaining()];
    in.get(in.position() - utf8.length, utf8);
    return Utf8.decode(utf8, file);
  }

  /** A little-endian integer of so many bytes. */
  private long long1(int length) throws FormatException {
    if (length > 8) {
      throw error("damaged pickle: an integer of " + length + " bytes");
    }
    ByteBuffer bytes = take(length);
    long v = 0;
    for (int i = 0; i < length; i++) {
      v |= (bytes.get(i) & 0xffL) << 8 * i;
    }
    int unused = 64 - 8 * length;
    return length == 0 ? 0 : v << unused >> unused; // extends the sign
  }

  /** The text up to the next line end, which is consumed. */
  private String line() throws FormatException {
    int start = in.position();
    int end = start;
    while (end < in.limit() && in.get(end) != '\n') {
      end++;
    }
    String line = text(end - start);
    take(1);
    return line;
  }

  private static String kind(Object o) {
    if (o instanceof Map) {
      return "a dictionary";
    }
    if (o instanceof List) {
      return "a list";
    }
    if (o instanceof Tuple) {
      return "a tuple";
    }
    if (o instanceof View) {
      return "a tensor";
    }
    if (o instanceof Storage) {
      return "a storage";
    }
    if (o == NONE || o == MARK) {
      return o == NONE ? "None" : "a mark";
    }
    if (o instanceof Global) {
      return o.toString();
    }
    return o instanceof String s ? "the text " + TensorInfo.quoted(s) : "the value " + o;
  }

  private FormatException error(String problem) {
    return new FormatException(file, problem);
  }
}
