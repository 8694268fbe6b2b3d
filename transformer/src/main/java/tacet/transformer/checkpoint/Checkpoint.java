package tacet.transformer.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import tacet.tensor.Tensor;
import tacet.tensor.TensorSource;

/**
 * A model at rest: its configuration and its tensors, whatever they are kept in.
 *
 * <pre>{@code
 * try (Checkpoint checkpoint = Checkpoint.open(Path.of("roberta-base"))) {
 *   int width = checkpoint.config().get("hidden_size").asInt();
 *   Weights weights = checkpoint.weights();
 *   …
 *   weights.finish();
 * }
 * }</pre>
 *
 * <p>Tensors are read when they are asked for, by any number of threads; reading from files after
 * {@link #close} is an {@link IllegalStateException}. The matrices of a model stay in the files and
 * are read when they are used: the model may outlive the checkpoint, but nobody should write to the
 * files in place while it is in use (replacing them, as all of Tacet does, is harmless).
 */
public final class Checkpoint implements AutoCloseable {
  private static final String CONFIG = "config.json";
  private static final String SAFETENSORS = "model.safetensors";

  /** Files that may hold the weights, best first; an index lists the files of the shards. */
  private static final List<String> CONTAINERS =
      List.of(
          SAFETENSORS,
          "model.safetensors.index.json",
          "pytorch_model.bin",
          "pytorch_model.bin.index.json");

  private final String name;
  private final Json config;
  private final List<TensorFile> files;
  private final Map<String, TensorFile> fileOf;
  private final boolean hollow;

  private Checkpoint(
      String name, Json config, List<TensorFile> files, Map<String, TensorFile> fileOf) {
    this(name, config, files, fileOf, false);
  }

  private Checkpoint(
      String name,
      Json config,
      List<TensorFile> files,
      Map<String, TensorFile> fileOf,
      boolean hollow) {
    this.hollow = hollow;
    this.name = name;
    this.config = config;
    this.files = List.copyOf(files);
    this.fileOf = Collections.unmodifiableMap(fileOf);
  }

  // ---------------------------------------------------------------- opening

  /**
   * Opens a Hugging Face model directory: {@code config.json} with {@code model.safetensors}, its
   * shards, {@code pytorch_model.bin} or its shards, whichever comes first.
   *
   * @throws FormatException if a file is missing, damaged or not what it says
   * @throws IOException if a file cannot be read
   */
  public static Checkpoint open(Path directory) throws IOException {
    Path configFile = directory.resolve(CONFIG);
    if (!Files.exists(configFile)) {
      throw new FormatException(
          directory.toString(), "not a Hugging Face model directory: it has no " + CONFIG);
    }
    Json config = Json.read(configFile);
    config.members(); // an object, or an error
    for (String container : CONTAINERS) {
      Path file = directory.resolve(container);
      if (Files.exists(file)) {
        return container.endsWith(".json")
            ? openShards(directory, config, file)
            : of(directory.toString(), config, TensorFile.open(file));
      }
    }
    throw new FormatException(
        directory.toString(), "has no weights: none of " + String.join(", ", CONTAINERS));
  }

  /**
   * A checkpoint of tensors that are already in memory.
   *
   * @param name stands for it in error messages
   * @param config what config.json would hold
   * @param tensors by Hugging Face name; the map is copied, the tensors are shared
   */
  public static Checkpoint of(String name, Json config, Map<String, Tensor> tensors) {
    return of(name, config, new HeapTensors(name, tensors));
  }

  /** Whether a directory has a file of weights. */
  public static boolean hasWeights(Path directory) {
    return CONTAINERS.stream().anyMatch(c -> Files.exists(directory.resolve(c)));
  }

  /**
   * A checkpoint that is no more than a configuration: models that are opened from it have hollow
   * parameters ({@link tacet.autograd.Parameter#hollow}), which can be counted. All weights count as
   * there but those of heads.
   *
   * @param directory with a config.json
   */
  public static Checkpoint shapes(Path directory) throws IOException {
    Json config = Json.read(directory.resolve(CONFIG));
    config.members(); // an object, or an error
    return new Checkpoint(directory.toString(), config, List.of(), Map.of(), true);
  }

  private static Checkpoint of(String name, Json config, TensorFile file) {
    Map<String, TensorFile> fileOf = new LinkedHashMap<>();
    for (String tensor : file.names()) {
      fileOf.put(tensor, file);
    }
    return new Checkpoint(name, config, List.of(file), fileOf);
  }

  /** Of an index only {@code weight_map} counts: it says which file has which tensor. */
  private static Checkpoint openShards(Path directory, Json config, Path indexFile)
      throws IOException {
    Map<String, TensorFile> open = new HashMap<>();
    Map<String, TensorFile> fileOf = new LinkedHashMap<>();
    try {
      Map<String, Json> weightMap = Json.read(indexFile).get("weight_map").members();
      for (Map.Entry<String, Json> e : weightMap.entrySet()) {
        String shard = shardName(e.getValue());
        TensorFile file = open.get(shard);
        if (file == null) {
          Path path = directory.resolve(shard);
          if (!Files.exists(path)) {
            throw e.getValue().error("there is no file " + TensorInfo.quoted(shard));
          }
          file = TensorFile.open(path);
          open.put(shard, file);
        }
        if (!file.names().contains(e.getKey())) {
          throw TensorInfo.noSuchTensor(file.file(), e.getKey(), file.names());
        }
        fileOf.put(e.getKey(), file);
      }
      return new Checkpoint(directory.toString(), config, List.copyOf(open.values()), fileOf);
    } catch (Throwable t) {
      open.values().forEach(TensorFile::close);
      throw t;
    }
  }

  /** Shards lie beside their index: a name that leads elsewhere is an attack or an accident. */
  private static String shardName(Json value) throws FormatException {
    String shard = value.asString();
    boolean plain =
        !shard.isEmpty()
            && !shard.equals(".")
            && !shard.equals("..")
            && shard.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ');
    if (!plain) {
      throw value.error(TensorInfo.quoted(shard) + " is not the plain name of a file");
    }
    return shard;
  }

  // ---------------------------------------------------------------- reading

  /** Directory or given name, for messages. */
  public String name() {
    return name;
  }

  /** The configuration, {@code config.json}. */
  public Json config() {
    return config;
  }

  /** Whether it has a configuration only; see {@link #shapes}. */
  public boolean isHollow() {
    return hollow;
  }

  /** Names of all tensors. Unmodifiable. */
  public Set<String> names() {
    return fileOf.keySet();
  }

  /** Whether there is a tensor of exactly this name. */
  public boolean contains(String tensor) {
    return fileOf.containsKey(tensor);
  }

  /** Type and extents of a tensor; see {@link TensorFile#info}. */
  public TensorInfo info(String tensor) throws FormatException {
    return fileOf(tensor).info(tensor);
  }

  /** A tensor as float32; see {@link TensorFile#read}. In-memory ones are shared. */
  public Tensor read(String tensor) throws IOException {
    return fileOf(tensor).read(tensor);
  }

  /** A tensor that stays in its file; see {@link TensorFile#source}. In-memory ones are shared. */
  public TensorSource source(String tensor) throws IOException {
    return fileOf(tensor).source(tensor);
  }

  /** The elements of an integer tensor; see {@link TensorFile#readLongs}. */
  public long[] readLongs(String tensor) throws IOException {
    return fileOf(tensor).readLongs(tensor);
  }

  /** The elements as they are stored; see {@link TensorFile#readBytes}. */
  public byte[] readBytes(String tensor) throws IOException {
    return fileOf(tensor).readBytes(tensor);
  }

  private TensorFile fileOf(String tensor) throws FormatException {
    TensorFile file = fileOf.get(tensor);
    if (file == null) {
      throw TensorInfo.noSuchTensor(name, tensor, names());
    }
    return file;
  }

  /** A fresh view to load a model from, nothing used yet. */
  public Weights weights() {
    return new Weights(this);
  }

  /** Closes all files; closing twice is harmless. */
  @Override
  public void close() {
    files.forEach(TensorFile::close);
  }

  // ---------------------------------------------------------------- writing

  /**
   * Writes a model directory of config.json and model.safetensors in F32; see the other method.
   *
   * @param tensors by Hugging Face name
   */
  public static void write(Path directory, Json config, Map<String, Tensor> tensors)
      throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    tensors.forEach(writer::add);
    write(directory, config, writer);
  }

  /**
   * Writes a model directory of config.json and model.safetensors. A new directory appears at once,
   * complete; in an existing one each of the two files is replaced at once, and others are left.
   *
   * @param directory created if it does not exist, with its parents
   * @throws IOException if something cannot be written; nothing is then half-written
   */
  public static void write(Path directory, Json config, SafeTensorsWriter weights)
      throws IOException {
    Path target = directory.toAbsolutePath().normalize();
    if (Files.exists(target)) {
      weights.write(target.resolve(SAFETENSORS));
      AtomicFile.write(target.resolve(CONFIG), config.pretty());
      return;
    }
    Files.createDirectories(target.getParent());
    Path temporary = Files.createDirectory(AtomicFile.sibling(target));
    try {
      weights.write(temporary.resolve(SAFETENSORS));
      AtomicFile.write(temporary.resolve(CONFIG), config.pretty());
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      delete(temporary);
    }
  }

  private static void delete(Path directory) throws IOException {
    if (Files.exists(directory)) {
      List<Path> files = new ArrayList<>();
      try (Stream<Path> list = Files.list(directory)) {
        list.forEach(files::add);
      }
      for (Path file : files) {
        Files.delete(file);
      }
      Files.delete(directory);
    }
  }
}
