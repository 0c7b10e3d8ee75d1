/** The thread that makes one backup. */
import { backUp } from './backup';
import { data, done, serve, unknownCall } from './worker';

serve(async (request) => {
  if (request.name !== 'backup') throw unknownCall(request);
  await backUp(data.file, request.argument.target);
  return done(undefined);
});
