package tacet.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.text.Encoding;
import tacet.transformer.text.Tokenizer;

/** {@code tacet tokenize}: texts in, token ids out, one JSON object per line. */
@Command(
    name = "tokenize",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Reads JSON lines {\"text\": …, \"pair\": …} (pair may be missing) and prints, for each, a line"
          + " {\"ids\": […], \"type_ids\": […], \"decoded\": …}; decoded is without special tokens."
    })
final class TokenizeCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--tokenizer",
      required = true,
      paramLabel = "FILE_OR_DIR",
      description =
          "tokenizer.json, vocab.txt, vocab.json (with merges.txt) or spiece.model, or the folder"
              + " of one.")
  private Path tokenizer;

  @Option(
      names = "--input",
      paramLabel = "F.jsonl",
      description = "Lines to read (default: standard input).")
  private Path input;

  private TokenizeCommand() {}

  @Override
  public Integer call() throws IOException {
    if (!Files.exists(tokenizer)) {
      throw new NoSuchFileException(tokenizer.toString());
    }
    Tokenizer t = Tokenizer.open(tokenizer);
    PrintWriter out = spec.commandLine().getOut();
    String name = input == null ? "standard input" : input.toString();
    if (input != null && Files.isDirectory(input)) {
      throw new UserException("--input " + input + ": a folder, not a file of JSON lines");
    }
    try (BufferedReader lines =
        input == null
            ? new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))
            : Files.newBufferedReader(input)) {
      int number = 0;
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        number++;
        if (!line.isBlank()) {
          out.println(tokens(t, Json.parse(line, name + " line " + number)));
        }
      }
    } catch (CharacterCodingException e) {
      throw new UserException(name + ": not valid UTF-8");
    }
    return 0;
  }

  private static Json tokens(Tokenizer tokenizer, Json line) throws IOException {
    Encoding e = tokenizer.encode(line.get("text").asString(), line.stringOr("pair", null));
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("ids", e.ids());
    out.put("type_ids", e.typeIds());
    out.put("decoded", tokenizer.decode(e.ids(), true));
    return Json.of(out);
  }
}
