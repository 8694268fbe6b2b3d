package tacet.hardware.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.Workload;

class ExamplesTest {

  /** Every architecture and topology that ships can be read, and reports can tell them apart. */
  @Test
  void allCanBeRead() {
    Set<String> names = new HashSet<>();
    Set<Class<?>> kinds = new HashSet<>();
    for (String name : Examples.architectures()) {
      assertThat(Examples.text(name)).startsWith("# ");
      Accelerator machine = Examples.architecture(name);
      assertThat(names.add(machine.name())).as(name).isTrue();
      kinds.add(machine.getClass());
    }
    assertThat(kinds).hasSameSizeAs(Accelerator.class.getPermittedSubclasses());
    assertThat(Examples.topology("minilm")).hasSize(36);
    assertThat(Examples.topology("roberta-large").get(143))
        .isEqualTo(Workload.dense("layer.23.mlp.out", 128, 1024, 4096));
    assertThat(Examples.topology("bert-base")).hasSize(72);
    List<Workload> alexnet = Examples.topology("alexnet");
    assertThat(alexnet.get(0)).isEqualTo(Workload.dense("Conv1", 3025, 96, 363));
    assertThat(alexnet.get(5).inputs()).isEqualTo(9216);
  }

  @Test
  void unknownNamesAreRefused() {
    for (String name : new String[] {"gpu", "", "../lanes", "lanes.ini"}) {
      assertThatThrownBy(() -> Examples.architecture(name)).hasMessageContaining("no example");
    }
    assertThatThrownBy(
            () ->
                ArchitectureFile.parse("x", "[architecture]\nkind: lanes\n[platform]\nenergy: y\n"))
        .hasMessageContaining("x, line 4: energy must be");
  }
}
