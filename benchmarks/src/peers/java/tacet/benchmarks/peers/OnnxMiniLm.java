package tacet.benchmarks.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.io.InputStream;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tacet.benchmarks.MiniLm;
import tacet.tensor.Engine;
import tacet.tensor.measure.Interleaved;
import tacet.transformer.Batch;

/**
 * The real MiniLM on ONNX Runtime alone in its process: prints milliseconds, and how far Tacet's last
 * hidden states are from its own.
 *
 * <pre>java … tacet.benchmarks.peers.OnnxMiniLm THREADS [quick]</pre>
 */
public final class OnnxMiniLm {
  private OnnxMiniLm() {}

  /** Runs it on the number of threads that the argument gives. */
  public static void main(String[] args) throws IOException, OrtException {
    Interleaved.Settings s =
        args.length > 1 ? Interleaved.Settings.QUICK : Interleaved.Settings.STANDARD;
    byte[] model;
    try (InputStream in = ClassLoader.getSystemResourceAsStream(MiniLm.ONNX)) {
      model = in.readAllBytes();
    }
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(Integer.parseInt(args[0]));
      options.setInterOpNumThreads(1);
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      try (OrtSession session = environment.createSession(model, options)) {
        for (int[] shape : MiniLm.INFERENCE) {
          Map<String, OnnxTensor> inputs =
              inputs(environment, session, MiniLm.batch(shape[0], shape[1]));
          Interleaved times =
              Interleaved.of(
                  new Interleaved.Settings(s.rounds(), 2 * s.warmUpMillis(), s.roundMillis()),
                  List.of(() -> run(session, inputs).close()));
          System.out.println("real " + MiniLm.name(shape) + "\t" + times.millis(0));
        }
        difference(environment, session);
      }
    }
  }

  private static Map<String, OnnxTensor> inputs(
      OrtEnvironment environment, OrtSession session, Batch batch) throws OrtException {
    Map<String, OnnxTensor> inputs = new HashMap<>();
    Map<String, int[]> values =
        Map.of(
            "input_ids", batch.ids(),
            "attention_mask", batch.mask(),
            "token_type_ids", batch.typeIds());
    for (String name : session.getInputNames()) {
      long[] longs = Arrays.stream(values.get(name)).asLongStream().toArray();
      long[] shape = {batch.size(), batch.length()};
      inputs.put(name, OnnxTensor.createTensor(environment, LongBuffer.wrap(longs), shape));
    }
    return inputs;
  }

  private static OrtSession.Result run(OrtSession session, Map<String, OnnxTensor> inputs) {
    try {
      return session.run(inputs);
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void difference(OrtEnvironment environment, OrtSession session)
      throws IOException, OrtException {
    Batch batch = MiniLm.batch(8, 128);
    double most = 0;
    try (Engine engine = Engine.ofThreads(1);
        OrtSession.Result result = run(session, inputs(environment, session, batch))) {
      float[] own = MiniLm.lastHidden(engine, MiniLm.real(), batch);
      float[] other = ((OnnxTensor) result.get(0)).getFloatBuffer().array();
      if (own.length != other.length) {
        throw new IllegalStateException(own.length + " values, ONNX Runtime has " + other.length);
      }
      for (int i = 0; i < own.length; i++) {
        most = Math.max(most, Math.abs((double) own[i] - other[i]));
      }
    }
    System.out.println("difference\t" + most);
  }
}
