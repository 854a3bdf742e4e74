package io.github.sharnn.architecture;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;

/**
 * The layout that keeps the code readable: small packages, no cycles, modules that point one way.
 */
class ArchitectureTest {

  private static final int MOST_TYPES = 20;
  private static final String ROOT = "io.github.sharnn";
  private static final Pattern MODULE =
      Pattern.compile("/(sharnn-[a-z0-9]+)(/target/classes/|-[0-9][^/]*[.]jar!/)");
  private static final JavaClasses MAIN =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(ROOT);

  private static final ArchRule NO_CYCLES =
      slices().assignedFrom(new ByPackage()).should().beFreeOfCycles();

  /** One slice for each package, subpackages apart. */
  private static final class ByPackage implements SliceAssignment {

    @Override
    public SliceIdentifier getIdentifierOf(JavaClass type) {
      return SliceIdentifier.of(type.getPackageName());
    }

    @Override
    public String getDescription() {
      return "packages";
    }
  }

  @Test
  void packages_form_no_cycle() {
    NO_CYCLES.check(MAIN);
  }

  @Test
  void a_package_has_at_most_20_top_level_types() {
    assertThat(largePackages(MAIN)).isEmpty();
  }

  @Test
  void modules_point_one_way() {
    layeredArchitecture()
        .consideringOnlyDependenciesInLayers()
        .layer("core")
        .definedBy(
            ROOT,
            ROOT + ".engine..",
            ROOT + ".io..",
            ROOT + ".vocabulary..",
            ROOT + ".softmax..",
            ROOT + ".decode..",
            ROOT + ".generate..",
            ROOT + ".score..",
            ROOT + ".serve..",
            ROOT + ".pretrained..",
            ROOT + ".zoo..")
        .layer("train")
        .definedBy(ROOT + ".train..")
        .layer("onnx")
        .definedBy(ROOT + ".onnx..")
        .layer("tokenizers")
        .definedBy(ROOT + ".tokenizers..")
        .layer("spark")
        .definedBy(ROOT + ".spark..")
        .layer("models")
        .definedBy(ROOT + ".models..")
        .layer("langchain4j")
        .definedBy(ROOT + ".langchain4j..")
        .layer("bench")
        .definedBy(ROOT + ".bench..")
        .layer("cli")
        .definedBy(ROOT + ".cli..")
        .layer("examples")
        .definedBy(ROOT + ".examples..")
        .whereLayer("train")
        .mayOnlyBeAccessedByLayers("spark", "bench", "cli", "examples")
        .whereLayer("onnx")
        .mayOnlyBeAccessedByLayers("bench", "cli", "examples")
        .whereLayer("tokenizers")
        .mayOnlyBeAccessedByLayers("cli", "examples")
        .whereLayer("spark")
        .mayNotBeAccessedByAnyLayer()
        .whereLayer("models")
        .mayNotBeAccessedByAnyLayer()
        .whereLayer("langchain4j")
        .mayNotBeAccessedByAnyLayer()
        .whereLayer("bench")
        .mayOnlyBeAccessedByLayers("cli", "examples")
        .whereLayer("cli")
        .mayOnlyBeAccessedByLayers("examples")
        .whereLayer("examples")
        .mayNotBeAccessedByAnyLayer()
        .ensureAllClassesAreContainedInArchitecture()
        .check(MAIN);
  }

  @Test
  void a_package_lies_in_the_module_of_its_name() {
    List<String> modules = new ArrayList<>();
    for (JavaClass type : MAIN) {
      String module = module(type.getSource().orElseThrow().getUri());
      String second = (type.getPackageName() + ".").substring(ROOT.length()).split("[.]", 3)[1];
      boolean core =
          List.of(
                  "",
                  "engine",
                  "io",
                  "vocabulary",
                  "softmax",
                  "decode",
                  "generate",
                  "score",
                  "serve",
                  "pretrained",
                  "zoo")
              .contains(second);
      assertThat(module).as(type.getName()).isEqualTo("sharnn-" + (core ? "core" : second));
      modules.add(module);
    }
    assertThat(modules)
        .contains("sharnn-core", "sharnn-train", "sharnn-bench", "sharnn-cli", "sharnn-examples")
        .contains("sharnn-onnx", "sharnn-tokenizers", "sharnn-spark", "sharnn-langchain4j")
        .contains("sharnn-models");
  }

  @Test
  void every_package_is_null_marked() {
    assertThat(MAIN.stream().map(JavaClass::getPackage).distinct())
        .allSatisfy(
            each -> assertThat(each.isAnnotatedWith(NullMarked.class)).as(each.getName()).isTrue());
  }

  /** The JDK is a tree that breaks the rules: they must not let it through. */
  @Test
  void the_rules_reject_a_bad_tree() {
    JavaClasses bad = new ClassFileImporter().importPackages("java.util.concurrent");
    assertThat(NO_CYCLES.evaluate(bad).getFailureReport().toString())
        .contains("Cycle detected: Slice java.util.concurrent -> ");
    assertThat(largePackages(bad)).containsKey("java.util.concurrent");
  }

  private static Map<String, Long> largePackages(JavaClasses classes) {
    Map<String, Long> types =
        classes.stream()
            .filter(JavaClass::isTopLevelClass)
            .filter(type -> !type.getSimpleName().equals("package-info"))
            .map(JavaClass::getPackage)
            .collect(
                Collectors.groupingBy(JavaPackage::getName, TreeMap::new, Collectors.counting()));
    types.values().removeIf(count -> count <= MOST_TYPES);
    return types;
  }

  private static String module(URI source) {
    Matcher matcher = MODULE.matcher(source.toString());
    assertThat(matcher.find()).as(source.toString()).isTrue();
    return matcher.group(1);
  }
}
