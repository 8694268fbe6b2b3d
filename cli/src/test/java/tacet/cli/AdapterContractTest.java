package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.autograd.AdamW;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.peft.AdapterFile;
import tacet.peft.Bottleneck;
import tacet.peft.Lora;
import tacet.peft.PeftMethod;
import tacet.peft.Prefix;
import tacet.peft.Prompt;
import tacet.peft.Targets;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.ImageModel;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.model.TextModels.Head;

/**
 * What every method promises on every architecture, from weights that are not at their start: a
 * gradient that is the slope of the loss, a base that stays as it is bit for bit, an adapter that is
 * the same when it was saved and read, and for LoRA a merged model that computes the same.
 */
class AdapterContractTest {
  private static final List<String> BASES =
      List.of("bert", "roberta", "gpt2", "gpt2cls", "opt", "optcls", "vit", "t5");

  /** 8 bases and 5 methods, without prompts of images, with T5's other prefix. */
  private static final int COMBINATIONS = 8 * 5 - 1 + 1;

  private static final double STEP = 1e-3; // small, because ReLUs have corners
  private static final double SLOPE = 3e-2; // of a difference of float32 losses

  @TempDir Path temp;

  /** A base, its inputs, and what makes its loss. */
  private record Base(String name, Part model, ForwardInputs in, Head head, List<String> modules) {
    TextModel.Output forward(Pass pass, Part m) throws IOException {
      return switch (m) {
        case TextModel t -> t.forward(pass, in.batch(true));
        case Seq2SeqModel s -> {
          Batch source = in.batch(false);
          yield s.forward(pass, source, in.target(s, source.size()));
        }
        case ImageModel i -> i.forward(pass, in.pixels());
        default -> throw new AssertionError(m);
      };
    }

    Var loss(Pass pass, Part m) throws IOException {
      return in.loss(pass, forward(pass, m).logits(), head, null);
    }

    double loss(Engine engine, Part m) throws IOException {
      try (Pass pass = Pass.inference(engine)) {
        return loss(pass, m).value().item();
      }
    }

    float[] logits(Engine engine, Part m) throws IOException {
      try (Pass pass = Pass.inference(engine)) {
        return forward(pass, m).logits().value().toArray();
      }
    }
  }

  private static List<PeftMethod> methods(Base base) {
    List<String> modules = base.modules;
    List<PeftMethod> all = new ArrayList<>();
    all.add(
        new Lora(
            2,
            3,
            0,
            false,
            Targets.standard(base.model),
            modules,
            Map.of("value", 3, "v", 3),
            Map.of()));
    all.add(Bottleneck.pfeiffer(4, modules));
    all.add(Bottleneck.houlsby(3, modules));
    all.add(new Prefix(4, Prefix.Semantics.PEFT, modules));
    if (!base.name.equals("vit")) {
      all.add(new Prompt(3, Prompt.Start.vocabulary(), modules));
    }
    if (base.name.equals("t5")) {
      all.add(new Prefix(4, Prefix.Semantics.PAPER, modules));
    }
    return all;
  }

  @Test
  void everyMethodKeepsItsPromisesOnEveryArchitecture() throws Exception {
    int ran = 0;
    try (Engine engine = Engine.ofThreads(2)) {
      for (String name : BASES) {
        Path dir = AdapterGoldenTest.folder();
        Path inputs = dir.resolve(name + "-pfeiffer").resolve("inputs.safetensors");
        try (ModelSource source = ModelSource.open(dir.resolve(name).toString());
            SafeTensors file = SafeTensors.open(inputs)) {
          List<String> modules =
              switch (name) {
                case "bert" -> List.of("classifier", "bert.pooler.dense");
                case "roberta", "vit" -> List.of("classifier");
                case "gpt2cls", "optcls" -> List.of("score");
                default -> List.of();
              };
          Base base =
              new Base(
                  name,
                  source.adaptable(null),
                  new ForwardInputs(inputs, file),
                  source.head(),
                  modules);
          for (PeftMethod method : methods(base)) {
            try {
              check(engine, base, method);
            } catch (AssertionError | RuntimeException e) {
              throw new AssertionError(name + " with " + method, e);
            }
            ran++;
          }
        }
      }
    }
    assertThat(ran).isEqualTo(COMBINATIONS);
  }

  private void check(Engine engine, Base base, PeftMethod method) throws IOException {
    Map<String, float[]> before = values(Surgery.parameters(base.model));
    Part adapted = method.applyTo(base.model, 5);
    Map<String, Parameter> trainable = Surgery.trainable(adapted);
    assertThat(trainable).isNotEmpty();
    assertThat(AdapterFile.parameters(adapted, method).values())
        .containsExactlyInAnyOrderElementsOf(trainable.values());
    shake(trainable, 9);
    float[] logits = base.logits(engine, adapted);
    assertThat(logits).isNotEqualTo(base.logits(engine, base.model));
    slope(engine, base, adapted, trainable);
    assertThat(base.logits(engine, adapted)).isEqualTo(logits); // the slope left nothing behind

    Path dir = temp.resolve(base.name + "-" + method.hashCode());
    AdapterFile.save(dir, adapted, method, "SEQ_CLS", base.name);
    AdapterFile.Loaded<Part> loaded = AdapterFile.load(dir, base.model);
    assertThat(base.logits(engine, loaded.model())).isEqualTo(logits);
    assertThat(Surgery.trainable(loaded.model()).keySet()).isEqualTo(trainable.keySet());
    assertThat(loaded.method().name()).isEqualTo(method.name());

    Part merged = Lora.merge(adapted);
    if (method instanceof Lora) {
      close(base.logits(engine, merged), logits);
      Part unmerged = Lora.unmerge(merged, adapted);
      Surgery.parameters(unmerged)
          .forEach(
              (name, p) -> {
                if (!trainable.containsKey(name)) {
                  close(p.value().toArray(), before.get(name));
                }
              });
    }

    Map<String, float[]> start = values(trainable);
    AdamW adam = new AdamW(engine, trainable, AdamW.Settings.standard());
    for (int step = 0; step < 2; step++) {
      try (Pass pass = Pass.training(engine, 1, step)) {
        pass.backward(base.loss(pass, adapted));
      }
      adam.step(1e-2);
    }
    Map<String, float[]> after = values(Surgery.parameters(base.model));
    before.forEach((name, v) -> assertThat(after.get(name)).as(name).isEqualTo(v));
    values(trainable).forEach((name, v) -> assertThat(v).as(name).isNotEqualTo(start.get(name)));
  }

  /** The loss climbs along its gradient as steeply as the gradient is long. */
  private static void slope(
      Engine engine, Base base, Part adapted, Map<String, Parameter> trainable) throws IOException {
    try (Pass pass = Pass.gradient(engine)) {
      pass.backward(base.loss(pass, adapted));
    }
    Map<Parameter, float[]> gradients = new LinkedHashMap<>();
    double square = 0;
    for (Parameter p : trainable.values()) {
      float[] g = p.gradient() == null ? new float[p.shape().size()] : p.gradient().toArray();
      gradients.put(p, g);
      for (float x : g) {
        square += x * x;
      }
      p.clearGradient();
    }
    double length = Math.sqrt(square);
    assertThat(length).isGreaterThan(1e-3);
    Map<String, float[]> at = values(trainable);
    double[] losses = new double[2];
    for (int side = 0; side < 2; side++) {
      double step = (side == 0 ? STEP : -STEP) / length;
      trainable.forEach(
          (name, p) -> {
            float[] g = gradients.get(p);
            for (int i = 0; i < g.length; i++) {
              p.value().data()[i] = (float) (at.get(name)[i] + step * g[i]);
            }
            p.changed();
          });
      losses[side] = base.loss(engine, adapted);
    }
    trainable.forEach(
        (name, p) -> {
          System.arraycopy(at.get(name), 0, p.value().data(), 0, p.shape().size());
          p.changed();
        });
    double slope = (losses[0] - losses[1]) / (2 * STEP);
    assertThat(slope).isCloseTo(length, within(SLOPE * length));
  }

  private static Map<String, float[]> values(Map<String, Parameter> parameters) {
    Map<String, float[]> values = new LinkedHashMap<>();
    parameters.forEach((name, p) -> values.put(name, p.value().toArray()));
    return values;
  }

  private static void shake(Map<String, Parameter> parameters, long seed) {
    parameters.forEach(
        (name, p) -> {
          Tensor noise = RandomStream.of(seed, name, 0).normal(p.shape(), 0.3);
          System.arraycopy(noise.data(), 0, p.value().data(), 0, noise.size());
          p.changed();
        });
  }

  private static void close(float[] found, float[] expected) {
    for (int i = 0; i < expected.length; i++) {
      assertThat(found[i]).isCloseTo(expected[i], within(2e-5f));
    }
  }

  /** Four adapters of four methods over one base, each used by two of eight threads at once. */
  @Test
  void adaptersOverOneBaseDoNotDisturbEachOther() throws Exception {
    Path dir = AdapterGoldenTest.folder();
    Path inputs = dir.resolve("roberta-pfeiffer").resolve("inputs.safetensors");
    try (ModelSource source = ModelSource.open(dir.resolve("roberta").toString());
        SafeTensors file = SafeTensors.open(inputs);
        Engine engine = Engine.ofThreads(2);
        ExecutorService threads = Executors.newFixedThreadPool(8)) {
      Base base =
          new Base(
              "roberta",
              source.adaptable(null),
              new ForwardInputs(inputs, file),
              source.head(),
              List.of("classifier"));
      List<Part> views = new ArrayList<>();
      List<float[]> alone = new ArrayList<>();
      for (PeftMethod method : methods(base).subList(1, 5)) {
        Part view = method.applyTo(base.model, views.size());
        shake(Surgery.trainable(view), views.size());
        views.add(view);
        alone.add(base.logits(engine, view));
      }
      assertThat(views).hasSize(4);
      List<Callable<List<float[]>>> work = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        Part view = views.get(t % 4);
        work.add(
            () -> {
              List<float[]> seen = new ArrayList<>();
              for (int i = 0; i < 25; i++) {
                seen.add(base.logits(engine, view));
              }
              return seen;
            });
      }
      List<Future<List<float[]>>> results = threads.invokeAll(work);
      for (int t = 0; t < 8; t++) {
        for (float[] logits : results.get(t).get()) {
          assertThat(logits).isEqualTo(alone.get(t % 4));
        }
      }
      String shared = "roberta.encoder.layer.0.attention.self.query.weight";
      for (Part view : views) {
        assertThat(Surgery.parameters(view).get(shared).value())
            .isSameAs(Surgery.parameters(base.model).get(shared).value());
      }
    }
  }

  @Test
  void whatCannotBeIsRefused() throws Exception {
    try (ModelSource source =
        ModelSource.open(AdapterGoldenTest.folder().resolve("bert").toString())) {
      Part bert = source.adaptable(null);
      Part adapted = new Prefix(2, Prefix.Semantics.PEFT, List.of()).applyTo(bert, 1);
      assertThatThrownBy(() -> Bottleneck.pfeiffer(2, List.of()).applyTo(adapted, 1))
          .hasMessageContaining("prefix");
      assertThatThrownBy(
              () ->
                  new Lora(2, 2, 0, false, Targets.of("word_embeddings"), List.of())
                      .applyTo(bert, 1))
          .hasMessageContaining("embeddings");
    }
    try (ModelSource source =
        ModelSource.open(AdapterGoldenTest.folder().resolve("vit").toString())) {
      Part vit = source.adaptable(null);
      assertThatThrownBy(() -> new Prompt(2, Prompt.Start.random(), List.of()).applyTo(vit, 1))
          .hasMessageContaining("word embeddings");
    }
  }
}
