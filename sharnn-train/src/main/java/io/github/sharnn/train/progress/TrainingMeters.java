package io.github.sharnn.train.progress;

import static com.google.common.base.Preconditions.checkState;

import io.github.sharnn.train.StepReport;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * Meters of a training run for Micrometer. Add {@code io.micrometer:micrometer-core} to your
 * project; this library does not bring it.
 *
 * <pre>{@code
 * TrainingMeters meters = new TrainingMeters();
 * meters.bindTo(registry);
 * SHARNNTrainer.builder(model).onStep(meters).build().fit(corpus, budget);
 * }</pre>
 *
 * <table>
 * <caption>Meters</caption>
 * <tr><th>Name</th><th>Type</th><th>Value</th></tr>
 * <tr><td>{@code sharnn.training.steps}</td><td>counter</td><td>steps of this process, with skipped
 *   and repeated ones</td></tr>
 * <tr><td>{@code sharnn.training.steps.skipped}</td><td>counter</td><td>steps without an update,
 *   because loss or gradients were not finite</td></tr>
 * <tr><td>{@code sharnn.training.evaluations}</td><td>counter</td><td>evaluations</td></tr>
 * <tr><td>{@code sharnn.training.train.bpc}</td><td>gauge</td><td>bits per character of the last
 *   step's batch</td></tr>
 * <tr><td>{@code sharnn.training.validation.bpc}</td><td>gauge</td><td>bits per character of the
 *   last evaluation</td></tr>
 * <tr><td>{@code sharnn.training.bytes}</td><td>gauge</td><td>bytes trained on in this
 *   stage</td></tr>
 * <tr><td>{@code sharnn.training.bytes.per.second}</td><td>gauge</td><td>speed of the last
 *   step</td></tr>
 * <tr><td>{@code sharnn.training.gradient.norm}</td><td>gauge</td><td>norm of the last gradients
 *   before clipping</td></tr>
 * <tr><td>{@code sharnn.training.learning.rate}</td><td>gauge</td><td>learning rate of the last
 *   step</td></tr>
 * <tr><td>{@code sharnn.training.loss.scale}</td><td>gauge</td><td>loss scale of the last
 *   step</td></tr>
 * <tr><td>{@code sharnn.training.budget.used}</td><td>gauge</td><td>used share of the stage's
 *   budget, 0 to 1</td></tr>
 * </table>
 *
 * <p>A gauge is NaN before its first value. Any thread may read the meters.
 */
public final class TrainingMeters implements Consumer<StepReport>, MeterBinder {

  private static final String PREFIX = "sharnn.training.";

  private final AtomicLong steps = new AtomicLong();
  private final AtomicLong skipped = new AtomicLong();
  private final AtomicLong evaluations = new AtomicLong();
  private volatile @Nullable StepReport last;
  private volatile double validationBpc = Double.NaN;

  /** Creates meters that no registry has yet. */
  public TrainingMeters() {}

  /**
   * Registers the meters. A registry keeps the first meter of a name, so give this object to each
   * run instead of binding another one.
   *
   * @param registry gets the meters; it keeps this object
   * @throws IllegalStateException if the registry has meters of a training already
   */
  @Override
  public void bindTo(MeterRegistry registry) {
    checkState(
        registry.find(PREFIX + "steps").meter() == null,
        "the registry has the meters %s* already: bind one TrainingMeters, and give it to each run",
        PREFIX);
    counter(registry, "steps", steps);
    counter(registry, "steps.skipped", skipped);
    counter(registry, "evaluations", evaluations);
    gauge(registry, "train.bpc", StepReport::trainBpc);
    gauge(registry, "bytes", StepReport::bytes);
    gauge(registry, "bytes.per.second", StepReport::bytesPerSecond);
    gauge(registry, "gradient.norm", StepReport::gradientNorm);
    gauge(registry, "learning.rate", StepReport::learningRate);
    gauge(registry, "loss.scale", StepReport::lossScale);
    gauge(registry, "budget.used", StepReport::used);
    Gauge.builder(PREFIX + "validation.bpc", () -> validationBpc)
        .strongReference(true)
        .register(registry);
  }

  private static void counter(MeterRegistry registry, String name, AtomicLong value) {
    FunctionCounter.builder(PREFIX + name, value, AtomicLong::get).register(registry);
  }

  private void gauge(MeterRegistry registry, String name, ToDoubleFunction<StepReport> figure) {
    Gauge.builder(
            PREFIX + name,
            () -> {
              StepReport report = last;
              return report == null ? Double.NaN : figure.applyAsDouble(report);
            })
        .strongReference(true)
        .register(registry);
  }

  /**
   * Takes the figures of a step.
   *
   * @param report the figures
   */
  @Override
  public void accept(StepReport report) {
    last = report;
    steps.incrementAndGet();
    if (!Double.isFinite(report.trainBpc()) || !Double.isFinite(report.gradientNorm())) {
      skipped.incrementAndGet();
    }
    if (report.evaluated()) {
      validationBpc = report.validationBpc();
      evaluations.incrementAndGet();
    }
  }
}
