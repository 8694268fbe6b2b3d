/** The {@code tacet} command. */
module tacet.cli {
  requires java.desktop;
  requires tacet.deft;
  requires info.picocli;

  opens tacet.cli to
      info.picocli;
}
