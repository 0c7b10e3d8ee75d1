/** Which values can still be relied on. */
export {
  parseStaleDetectorSettings,
  type StaleDetectorInput,
  type StaleDetectorSettings,
  type ThresholdRule,
} from './settings';
export { StaleDetector, type StaleDetectorDependencies } from './stale-detector';
export { STALE_TAG } from './thresholds';
