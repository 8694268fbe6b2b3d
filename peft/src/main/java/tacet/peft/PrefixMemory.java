package tacet.peft;

import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.TokenOps;
import tacet.autograd.Var;
import tacet.transformer.Memory;
import tacet.transformer.Surgery;

/**
 * The columns of a prefix that one attention layer remembers.
 *
 * @param base what was there: no memory
 * @param table [P, W], the whole prefix, shared by all layers
 * @param keyColumn first of the D columns with the keys
 * @param valueColumn first of the D columns with the values
 */
record PrefixMemory(Memory base, Parameter table, int keyColumn, int valueColumn)
    implements Memory {
  @Override
  public int length() {
    return table.shape().dim(0);
  }

  @Override
  public int heads() {
    return base.heads();
  }

  @Override
  public int width() {
    return base.width();
  }

  @Override
  public Var keys(Pass pass, Var keys) {
    return TokenOps.prepend(pass, table, length(), keyColumn, keys);
  }

  @Override
  public Var values(Pass pass, Var values) {
    return TokenOps.prepend(pass, table, length(), valueColumn, values);
  }

  @Override
  public PrefixMemory rebuild(Surgery s) {
    return new PrefixMemory(
        s.through(base), s.parameter(VirtualTokensFile.NAME, table), keyColumn, valueColumn);
  }
}
