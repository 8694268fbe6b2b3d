package tacet.deft.report;

import java.io.BufferedWriter;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * A log.jsonl that grows while a run goes on: one JSON object per line, each line written out at
 * once, so that the file can be followed and survives a crash. Not thread-safe.
 */
public final class RunLog implements Closeable {
  private final BufferedWriter out;

  private RunLog(BufferedWriter out) {
    this.out = out;
  }

  /** Begins a new log, replacing a file that is there. */
  public static RunLog create(Path file) throws IOException {
    Fields.write(file, "");
    return append(file);
  }

  /**
   * Goes on with the log of an interrupted run. Lines after the checkpoint's step are dropped, for
   * the run will write them again; so is a last line that a crash left unfinished.
   *
   * @param file the log; need not exist
   * @param step steps done at the checkpoint that the run resumes from
   * @throws FormatException if another line is broken, naming file and line
   */
  public static RunLog resume(Path file, long step) throws IOException {
    StringBuilder kept = new StringBuilder();
    for (LogEntry entry : Files.exists(file) ? read(file) : List.<LogEntry>of()) {
      if (entry.step() <= step) {
        kept.append(entry.toJson()).append('\n');
      }
    }
    Fields.write(file, kept.toString());
    return append(file);
  }

  /**
   * All entries of a log. A last line without its end is that of a run that goes on or crashed, and
   * is passed over.
   *
   * @throws FormatException if a line is broken, naming file and line
   */
  public static List<LogEntry> read(Path file) throws IOException {
    String text;
    try {
      text = Files.readString(file, StandardCharsets.UTF_8);
    } catch (CharacterCodingException e) {
      throw new FormatException(file.toString(), "not valid UTF-8", e);
    }
    String[] lines = text.substring(0, text.lastIndexOf('\n') + 1).split("\n");
    List<LogEntry> entries = new ArrayList<>(lines.length);
    for (int i = 0; i < lines.length; i++) {
      if (!lines[i].isBlank()) {
        entries.add(LogEntry.fromJson(Json.parse(lines[i], file + ", line " + (i + 1))));
      }
    }
    return entries;
  }

  private static RunLog append(Path file) throws IOException {
    return new RunLog(
        Files.newBufferedWriter(file, StandardCharsets.UTF_8, StandardOpenOption.APPEND));
  }

  /** Appends a line and hands it to the operating system. */
  public void add(LogEntry entry) throws IOException {
    out.write(entry.toJson() + "\n");
    out.flush();
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
