package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.deft.Trainer;
import tacet.deft.report.LogEntry;
import tacet.deft.report.RunLog;
import tacet.tensor.RandomStream;

/**
 * Training processes that are killed at random moments and resumed end in the same bits. The system
 * property {@code tacet.kills} says how often; {@code tacet.kills.seed} when.
 */
class KillTest {
  private static final int KILLS = Integer.getInteger("tacet.kills", 2);
  private static final long SEED = Long.getLong("tacet.kills.seed", 1);

  @TempDir Path temp;

  private List<String> command(Path out, boolean resume) throws IOException {
    Path model = temp.resolve("model");
    Path data = temp.resolve("data");
    if (!Files.exists(model)) {
      Cli.tinyModel(model);
      Cli.tinyTask(data);
    }
    String[] words = {
      "train",
      "--model",
      model.toString(),
      "--task",
      "SST-2",
      "--data",
      data.toString(),
      "--method",
      "full",
      "--surrogate",
      "tanh",
      "--lambda",
      "0.1",
      "--adaptive",
      "--epochs",
      "40",
      "--batch",
      "8",
      "--lr",
      "3e-3",
      "--save-every",
      "7",
      "--evaluate-every",
      "50",
      "--threads",
      "1",
      "--quiet",
      "--out",
      out.toString()
    };
    List<String> all = new ArrayList<>(List.of(words));
    if (resume) {
      all.add("--resume");
    }
    return all;
  }

  private Process start(Path out, boolean resume) throws IOException {
    List<String> java = new ArrayList<>();
    java.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    java.addAll(List.of("-Xmx512m", "-cp", System.getProperty("java.class.path")));
    java.add(Main.class.getName());
    java.addAll(command(out, resume));
    return new ProcessBuilder(java)
        .redirectErrorStream(true)
        .redirectOutput(temp.resolve("output.txt").toFile())
        .start();
  }

  /** Waits until a run has taken a step since {@code before}, so that every start gets somewhere. */
  private static void awaitProgress(Process p, Path out, long before) throws Exception {
    Path file = out.resolve(Trainer.LAST);
    while (p.isAlive()
        && (!Files.exists(file) || Files.getLastModifiedTime(file).toMillis() <= before)) {
      Thread.sleep(5);
    }
  }

  private byte[] model(Path out) throws IOException {
    return Files.readAllBytes(out.resolve("model/model.safetensors"));
  }

  @Test
  void killedAndResumedHasTheSameBits() throws Exception {
    Path whole = temp.resolve("whole");
    Cli.Result r = Cli.run(command(whole, false).toArray());
    assertThat(r.err()).isEmpty();
    Path killed = temp.resolve("killed");
    RandomStream random = RandomStream.of(SEED, "kills", 0);
    for (int i = 0; i < KILLS; i++) {
      Path file = killed.resolve(Trainer.LAST);
      long before = Files.exists(file) ? Files.getLastModifiedTime(file).toMillis() : 0;
      Process p = start(killed, i > 0);
      awaitProgress(p, killed, before);
      Thread.sleep(random.nextInt(60));
      p.destroyForcibly().waitFor();
    }
    Process last = start(killed, true);
    assertThat(last.waitFor()).as(Files.readString(temp.resolve("output.txt"))).isZero();
    assertThat(model(killed)).as("seed " + SEED).isEqualTo(model(whole));
    assertThat(RunLog.read(killed.resolve("log.jsonl")).stream().map(LogEntry::step).toList())
        .isEqualTo(RunLog.read(whole.resolve("log.jsonl")).stream().map(LogEntry::step).toList());
  }

  @Test
  void interruptedSavesAndExitsWith130() throws Exception {
    Path out = temp.resolve("interrupted");
    Process p = start(out, false);
    awaitProgress(p, out, 0);
    Process kill = new ProcessBuilder("kill", "-INT", Long.toString(p.pid())).start();
    assertThat(kill.waitFor()).isZero();
    assertThat(p.waitFor(5, TimeUnit.MINUTES)).isTrue();
    if (p.exitValue() == 0) {
      return; // it was done before the signal came
    }
    assertThat(p.exitValue()).as(Files.readString(temp.resolve("output.txt"))).isEqualTo(130);
    assertThat(Files.exists(out.resolve(Trainer.LAST))).isTrue();
    assertThat(Files.exists(out.resolve("metrics.json"))).isFalse();
    Cli.Result r = Cli.run(command(out, true).toArray());
    assertThat(r.err()).isEmpty();
    Path whole = temp.resolve("whole");
    Cli.run(command(whole, false).toArray());
    assertThat(model(out)).isEqualTo(model(whole));
  }
}
