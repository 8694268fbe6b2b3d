/** The {@code tacet} command. */
@SuppressWarnings("requires-automatic") // of the readers of parquet and TOML
module tacet.cli {
  requires java.desktop;
  requires java.logging;
  requires tacet.deft;
  requires info.picocli;
  requires dev.hardwood.core;
  requires org.tomlj;

  opens tacet.cli to
      info.picocli;
}
