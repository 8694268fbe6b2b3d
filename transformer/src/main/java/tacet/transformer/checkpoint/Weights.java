package tacet.transformer.checkpoint;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;
import tacet.transformer.checkpoint.CheckpointException.Mismatch;

/**
 * The view of a checkpoint that a model is loaded from: names relative to a place in the model,
 * shapes checked, and account kept of what was found.
 *
 * <pre>{@code
 * Weights w = checkpoint.weights();
 * Weights query = w.at("bert.encoder.layer.0.attention.self.query");
 * Tensor weight = query.tensor("weight", Shape.of(768, 768));
 * Tensor bias = query.tensor("bias", Shape.of(768));
 * Tensor head = w.tensorOrNull("classifier.weight", Shape.of(2, 768)); // null: initialise it
 * w.ignore("cls.");                                                    // pre-training heads
 * w.finish();   // throws, listing all that was missing, left over or of another shape
 * }</pre>
 *
 * <p>Checkpoints of one architecture differ in their names, so each name is looked up as
 * Hugging Face transformers does ({@code modeling_utils}): as it is, without or with the name of
 * the base model ({@code bert.}, {@code roberta.}, {@code transformer.}, {@code model.}, {@code
 * model.decoder.}, {@code vit.}), and with the old names of LayerNorm's parameters, {@code gamma} and {@code beta}.
 *
 * <p>A missing tensor comes back as zeros, so that one run through the model finds all of them;
 * {@link #finish} must be called before the model is used. Not for several threads at once.
 */
public final class Weights {
  private static final List<String> BASE_MODELS =
      List.of("bert.", "roberta.", "transformer.", "model.", "model.decoder.", "decoder.", "vit.");

  /** Buffers that models used to save; they follow from the configuration. */
  private static final List<String> BUFFERS =
      List.of("position_ids", "token_type_ids", "attn.bias", "attn.masked_bias");

  /** Written by old T5 conversions; cross-attention has no relative bias. */
  private static final String T5_CROSS_BIAS =
      "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

  /** Largest stand-in for a missing vector; a wrong configuration may ask for any size. */
  private static final int MAX_STAND_IN = 1 << 22;

  /** A stand-in for what is not read before {@link #finish}: it takes no memory. */
  private record Zeros(Shape shape) implements TensorSource {
    @Override
    public void read(int from, float[] to, int at, int n) {
      Arrays.fill(to, at, at + n, 0f);
    }
  }

  private final String path; // empty, or ends with a dot
  private final Account account;

  /** What all views of one loading share. */
  private static final class Account {
    private final Checkpoint checkpoint;
    private final Set<String> used = new LinkedHashSet<>(); // as named in the file
    private final Set<String> missing = new LinkedHashSet<>();
    private final Set<String> initialised = new LinkedHashSet<>();
    private final List<Mismatch> mismatched = new ArrayList<>();
    private final List<String> ignored = new ArrayList<>(); // prefixes
    private float[] zeros = {}; // shared by all stand-ins: the model is never used

    Account(Checkpoint checkpoint) {
      this.checkpoint = checkpoint;
    }
  }

  /** The whole checkpoint, nothing used yet. */
  Weights(Checkpoint checkpoint) {
    this("", new Account(checkpoint));
  }

  private Weights(String path, Account account) {
    this.path = path;
    this.account = account;
  }

  /** The view one or more levels down: {@code at("encoder").at("layer.0")}. */
  public Weights at(String name) {
    return new Weights(path + name + ".", account);
  }

  /** The full name of something here, as it was asked for: {@code encoder.layer.0.weight}. */
  public String path(String name) {
    return path + name;
  }

  /** The checkpoint behind this view. */
  public Checkpoint checkpoint() {
    return account.checkpoint;
  }

  /** Whether a tensor is there, under any of its names. Does not count as use. */
  public boolean has(String name) {
    return find(path + name) != null;
  }

  /** Whether a tensor of these extents is there, under any of its names. Does not count as use. */
  public boolean has(String name, Shape shape) throws FormatException {
    String found = find(path + name);
    return found != null && isOf(account.checkpoint.info(found), shape);
  }

  /**
   * A tensor the model cannot do without, as float32.
   *
   * @return zeros if it is missing or of another shape, which {@link #finish} will report
   * @throws CheckpointException if it is missing and too large for a stand-in
   * @throws FormatException if it is damaged or of a type without a float32 meaning
   */
  public Tensor tensor(String name, Shape expected) throws IOException {
    String found = required(name, expected);
    return found == null ? standIn(expected) : account.checkpoint.read(found);
  }

  /** The same tensor, but it stays in its file until it is used; see {@link TensorFile#source}. */
  public TensorSource source(String name, Shape expected) throws IOException {
    String found = required(name, expected);
    return found == null ? new Zeros(expected) : account.checkpoint.source(found);
  }

  /** The name in the file of a tensor that fits; else null, and {@link #finish} will report it. */
  private String required(String name, Shape expected) throws FormatException {
    String found = find(path + name);
    if (found == null) {
      account.missing.add(path + name);
      return null;
    }
    return fits(found, expected) ? found : null;
  }

  /**
   * A tensor the model can initialise by itself, such as the head of a new task.
   *
   * @return null if it is missing, which {@link #newlyInitialised} will list, or of another shape,
   *     which {@link #finish} will report
   */
  public Tensor tensorOrNull(String name, Shape expected) throws IOException {
    String found = find(path + name);
    if (found == null) {
      account.initialised.add(path + name);
      return null;
    }
    return fits(found, expected) ? account.checkpoint.read(found) : null;
  }

  /**
   * The name in the file of a tensor that the caller reads from the {@link #checkpoint} itself (a
   * quantised weight, say); it counts as used. Null if it is missing, which is not reported.
   */
  public String use(String name) {
    String found = find(path + name);
    if (found != null) {
      account.used.add(found);
    }
    return found;
  }

  /**
   * Declares that the model has no use for some tensors of the file, such as a pre-training head.
   *
   * @param prefixes beginnings of full names in the file, whatever the place of this view
   */
  public void ignore(String... prefixes) {
    account.ignored.addAll(List.of(prefixes));
  }

  /** Full names for which {@link #tensorOrNull} found nothing, in the order of asking. */
  public List<String> newlyInitialised() {
    return List.copyOf(account.initialised);
  }

  /** Names in the file that were neither used nor ignored nor are known buffers, in file order. */
  public List<String> unexpected() {
    return account.checkpoint.names().stream()
        .filter(n -> !account.used.contains(n) && !isBuffer(n))
        .filter(n -> account.ignored.stream().noneMatch(n::startsWith))
        .toList();
  }

  /**
   * Ends the loading.
   *
   * @throws CheckpointException if anything was missing, left over or of another shape
   */
  public void finish() throws CheckpointException {
    List<String> unexpected = unexpected();
    if (!account.missing.isEmpty() || !unexpected.isEmpty() || !account.mismatched.isEmpty()) {
      throw exception(unexpected);
    }
  }

  private CheckpointException exception(List<String> unexpected) {
    return new CheckpointException(
        account.checkpoint.name(),
        List.copyOf(account.missing),
        unexpected,
        List.copyOf(account.mismatched));
  }

  private boolean fits(String found, Shape expected) throws FormatException {
    account.used.add(found);
    TensorInfo info = account.checkpoint.info(found);
    boolean same = isOf(info, expected);
    if (!same) {
      account.mismatched.add(new Mismatch(found, info.dims(), expected));
    }
    return same;
  }

  private static boolean isOf(TensorInfo info, Shape shape) {
    int[] dims = shape.toArray();
    boolean same = info.dims().size() == dims.length;
    for (int i = 0; same && i < dims.length; i++) {
      same = info.dims().get(i) == dims[i];
    }
    return same;
  }

  private Tensor standIn(Shape shape) throws CheckpointException {
    if (shape.size() > MAX_STAND_IN) {
      throw exception(List.of()); // what is left over is not known yet
    }
    if (account.zeros.length < shape.size()) {
      account.zeros = new float[shape.size()];
    }
    return new Tensor(shape, account.zeros);
  }

  /** The name in the file of what the model calls {@code name}, or null. */
  private String find(String name) {
    String found = findRenamed(name);
    for (int i = 0; found == null && i < BASE_MODELS.size(); i++) {
      String base = BASE_MODELS.get(i);
      found = findRenamed(name.startsWith(base) ? name.substring(base.length()) : base + name);
    }
    return found;
  }

  private String findRenamed(String name) {
    if (account.checkpoint.contains(name)) {
      return name;
    }
    String old = null;
    if (name.endsWith("LayerNorm.weight")) {
      old = name.substring(0, name.length() - "weight".length()) + "gamma";
    } else if (name.endsWith("LayerNorm.bias")) {
      old = name.substring(0, name.length() - "bias".length()) + "beta";
    }
    return old != null && account.checkpoint.contains(old) ? old : null;
  }

  private static boolean isBuffer(String name) {
    return BUFFERS.stream().anyMatch(b -> name.equals(b) || name.endsWith("." + b))
        || name.endsWith(T5_CROSS_BIAS);
  }
}
