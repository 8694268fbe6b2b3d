package tacet.deft;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import tacet.autograd.AdamW;
import tacet.autograd.Parameter;
import tacet.tensor.Tensor;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.SafeTensorsWriter;

/**
 * The state of a run in a safetensors file: parameters, moments, and in the metadata the rest.
 *
 * @param trainable what is trained, by name
 * @param optimizer its moments and steps
 * @param settings of the run, as text: a checkpoint fits only a run with the same
 */
record TrainingCheckpoint(Map<String, Parameter> trainable, AdamW optimizer, String settings) {
  private static final String STEPS = "tacet.steps";
  private static final String SETTINGS = "tacet.settings";
  private static final String BEST = "tacet.best";
  private static final String STALE = "tacet.stale";

  /**
   * How evaluations went.
   *
   * @param best the best score so far; NaN before the first
   * @param stale evaluations since then
   */
  record Track(double best, int stale) {
    static final Track NEW = new Track(Double.NaN, 0);

    boolean improvedBy(double score) {
      return Double.isNaN(best) || score > best;
    }

    Track after(double score) {
      return improvedBy(score) ? new Track(score, 0) : new Track(best, stale + 1);
    }
  }

  /** Writes it, beside and renamed. */
  void save(Path file, Track track) throws IOException {
    if (file.getParent() != null) {
      Files.createDirectories(file.getParent());
    }
    Map<String, Tensor> all = new LinkedHashMap<>();
    trainable.forEach((name, p) -> all.put(name, p.value()));
    all.putAll(optimizer.state());
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", "pt");
    metadata.put(STEPS, Long.toString(optimizer.steps()));
    metadata.put(SETTINGS, settings);
    metadata.put(BEST, Double.toString(track.best));
    metadata.put(STALE, Integer.toString(track.stale));
    SafeTensorsWriter writer = new SafeTensorsWriter().metadata(metadata);
    all.forEach(writer::add);
    writer.write(file);
  }

  /**
   * Brings parameters and moments to the state in a file.
   *
   * @throws IOException if the file is not a checkpoint of a run with these settings and parameters;
   *     nothing is changed then
   */
  Track restore(Path file) throws IOException {
    try (SafeTensors saved = SafeTensors.open(file)) {
      Map<String, String> metadata = saved.metadata();
      if (!metadata.containsKey(STEPS) || !settings.equals(metadata.get(SETTINGS))) {
        throw new IOException(
            file
                + ": not a checkpoint of a run with these settings; repeat the options of the"
                + " first run, or leave out --resume");
      }
      Map<String, Tensor> values = new LinkedHashMap<>();
      for (Map.Entry<String, Parameter> e : trainable.entrySet()) {
        Tensor t = saved.names().contains(e.getKey()) ? saved.read(e.getKey()) : null;
        if (t == null || !t.shape().equals(e.getValue().value().shape())) {
          throw new IOException(
              file + ": parameter " + e.getKey() + " is missing or has another shape");
        }
        values.put(e.getKey(), t);
      }
      Map<String, Tensor> moments = new LinkedHashMap<>();
      for (String name : optimizer.state().keySet()) {
        if (saved.names().contains(name)) {
          moments.put(name, saved.read(name));
        }
      }
      Track track;
      try {
        track =
            new Track(
                Double.parseDouble(metadata.getOrDefault(BEST, "NaN")),
                Integer.parseInt(metadata.getOrDefault(STALE, "0")));
        optimizer.restore(moments, Long.parseLong(metadata.get(STEPS)));
      } catch (IllegalArgumentException e) {
        throw new IOException(file + ": " + e.getMessage(), e);
      }
      values.forEach(
          (name, t) -> {
            Parameter p = trainable.get(name);
            System.arraycopy(t.data(), 0, p.value().data(), 0, t.size());
            p.changed();
          });
      return track;
    }
  }

  /** Whether every parameter is a finite number. */
  boolean isFinite() {
    for (Parameter p : trainable.values()) {
      Tensor t = p.value();
      for (int i = 0; i < t.size(); i++) {
        if (!Float.isFinite(t.data()[i])) {
          return false;
        }
      }
    }
    return true;
  }
}
