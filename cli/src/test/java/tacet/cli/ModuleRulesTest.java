package tacet.cli;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Rules that hold for all modules, checked on their class files. */
class ModuleRulesTest {
  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("tacet");

  private static void check(ArchRule rule) {
    rule.check(CLASSES);
  }

  @Test
  void theClassesAreThere() {
    assertThat(CLASSES.contain("tacet.tensor.Tensor")).isTrue();
    assertThat(CLASSES.contain("tacet.hardware.EnergyModel")).isTrue();
    assertThat(CLASSES.size()).isGreaterThan(150);
  }

  @Test
  void onlyKernelsKnowTheIncubator() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage("tacet.tensor.kernel")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("jdk.incubator.vector.."));
  }

  @Test
  void librariesDoNotPrintOrHideState() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage("tacet.cli..")
            .should()
            .accessField(System.class, "out")
            .orShould()
            .accessField(System.class, "err")
            .orShould()
            .dependOnClassesThat()
            .areAssignableTo(ThreadLocal.class)
            .orShould()
            .callConstructor(Random.class));
  }

  @Test
  void arrowsPointDownwards() {
    String[] order = {
      "tacet.tensor..",
      "tacet.autograd..",
      "tacet.transformer..",
      "tacet.peft..",
      "tacet.deft..",
      "tacet.cli.."
    };
    for (int lower = 0; lower < order.length; lower++) {
      for (int upper = lower + 1; upper < order.length; upper++) {
        check(
            noClasses()
                .that(resideInAnyPackage(order[lower]))
                .should()
                .dependOnClassesThat(resideInAnyPackage(order[upper])));
      }
    }
    check(
        noClasses()
            .that()
            .resideInAPackage("tacet.hardware..")
            .should()
            .dependOnClassesThat(resideInAnyPackage(order)));
  }
}
