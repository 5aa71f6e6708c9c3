import { program } from './components/program.js';

export default program;
