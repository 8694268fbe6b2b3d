/** The {@code tacet} command. */
module tacet.cli {
  requires java.desktop;
  requires tacet.deft;
  requires info.picocli;
  requires dev.hardwood.core;
  requires org.tomlj;

  opens tacet.cli to
      info.picocli;
}
