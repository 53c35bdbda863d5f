import { mount } from 'svelte';
import Gate from './Gate.svelte';
import './fonts.css';
import './tokens.css';
import './base.css';
import './parts.css';

mount(Gate, { target: document.getElementById('app')! });
