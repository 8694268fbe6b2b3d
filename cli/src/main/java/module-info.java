/** The {@code tacet} command. */
module tacet.cli {
  requires tacet.deft;
}
